"""The epoch that shows what peers add: the same one, without them."""

from typing import Annotated

from zenml import step

from mutualctr.cohort import Peer
from mutualctr.config import FinetuneConfig, OptimizerConfig, SnapshotConfig
from mutualctr.reference import Blocks, Models
from stack.code import TRAINING
from stack.materializer import ReferenceMaterializer
from steps.finetune import finetuned


@step(experiment_tracker=True, cache_policy=TRAINING, output_materializers=ReferenceMaterializer)
def control_finetune(
    blocks: Blocks,
    pretrained: list[Models],
    peers: list[Peer],
    optimizer: OptimizerConfig,
    config: FinetuneConfig,
    snapshot: SnapshotConfig,
) -> Annotated[Models, "control"]:
    """One epoch from the pretrained peers with the mutual weight at 0."""
    return finetuned("control", blocks, pretrained, peers, optimizer, config, snapshot)
