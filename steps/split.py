"""Events → train, dev, test."""

from typing import Annotated

from zenml import step

from mutualctr.config import EngineName, SplitConfig
from mutualctr.data.contract import Contract
from mutualctr.data.prepare import split_events
from mutualctr.reference import Events, Split, Validation
from stack.code import DATA
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch


@step(cache_policy=DATA, output_materializers=ReferenceMaterializer)
def split(
    events: Events,
    validation: Validation,
    contract: Contract,
    config: SplitConfig,
    engine: EngineName,
) -> Annotated[Split, "split"]:
    """80/10/10; of the rows that passed the validation."""
    with scratch() as folder:
        return split_events(events, validation, contract, config, engine, folder)
