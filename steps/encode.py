"""Events and split → blocks of ids, with the feature map that made them."""

from typing import Annotated

from zenml import step

from mutualctr.config import EngineName, FeatureConfig
from mutualctr.data.contract import Contract
from mutualctr.data.prepare import encode_events
from mutualctr.reference import Blocks, Events, Split
from stack.code import DATA
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch


@step(cache_policy=DATA, output_materializers=ReferenceMaterializer)
def encode(
    events: Events,
    split: Split,
    contract: Contract,
    feature_set: str | None,
    config: FeatureConfig,
    engine: EngineName,
) -> Annotated[Blocks, "blocks"]:
    """Fit the vocabulary on train, encode every part."""
    with scratch() as folder:
        return encode_events(events, split, contract, feature_set, config, engine, folder)
