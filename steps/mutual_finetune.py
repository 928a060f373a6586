"""The epoch the project exists for: peers teach each other."""

from typing import Annotated

from zenml import step

from mutualctr.cohort import Peer
from mutualctr.config import FinetuneConfig, OptimizerConfig, SnapshotConfig
from mutualctr.reference import Blocks, Models
from stack.code import TRAINING
from stack.materializer import ReferenceMaterializer
from steps.finetune import finetuned


@step(experiment_tracker=True, cache_policy=TRAINING, output_materializers=ReferenceMaterializer)
def mutual_finetune(
    blocks: Blocks,
    pretrained: list[Models],
    peers: list[Peer],
    optimizer: OptimizerConfig,
    config: FinetuneConfig,
    snapshot: SnapshotConfig,
) -> Annotated[Models, "mutual"]:
    """One epoch from the pretrained peers, each pulled towards the others."""
    return finetuned("mutual", blocks, pretrained, peers, optimizer, config, snapshot)
