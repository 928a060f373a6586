"""One peer, alone, from its seed."""

from typing import Annotated

from zenml import step

from mutualctr.cohort import PeerSpec
from mutualctr.config import NetworkConfig, OptimizerConfig, PretrainConfig, SnapshotConfig
from mutualctr.reference import Blocks, Models
from mutualctr.registry.watch import watched
from mutualctr.training.arms import pretrain_peer
from stack.code import TRAINING, training_code
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch, snapshots
from stack.tracker import current_tracker


@step(experiment_tracker=True, cache_policy=TRAINING, output_materializers=ReferenceMaterializer)
def pretrain(
    blocks: Blocks,
    spec: PeerSpec,
    network: NetworkConfig,
    optimizer: OptimizerConfig,
    config: PretrainConfig,
    snapshot: SnapshotConfig,
) -> Annotated[Models, "pretrained"]:
    """Train for the configured epochs, keep the one with the best dev AUC.

    A step that was killed and is run again goes on from its last snapshot.
    """
    title = f"pretrain {spec.architecture} seed {spec.seed}"
    rows = config.epochs * blocks.train_rows
    params = {"peer": spec, "network": network, "optimizer": optimizer, "pretrain": config}
    decides = (training_code(), blocks.digest, spec, network, optimizer, config)
    kept = snapshots(*decides, every_steps=snapshot.every_steps)
    with (
        scratch() as folder,
        watched(current_tracker(), [title], [params], title, rows) as (progress, run_ids),
    ):
        pretrain_peer(blocks, spec, network, optimizer, config, progress, folder, kept)
        return Models.of(folder, run_ids=run_ids)
