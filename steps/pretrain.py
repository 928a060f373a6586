"""One peer, alone, from its seed or from its predecessor's weights."""

from typing import Annotated

from zenml import step

from mutualctr.cohort import PeerSpec, Start
from mutualctr.config import NetworkConfig, OptimizerConfig, PretrainConfig, SnapshotConfig
from mutualctr.reference import Blocks, Models
from mutualctr.registry.start import fetched
from mutualctr.registry.watch import watched
from mutualctr.training.arms import pretrain_peer
from mutualctr.training.machine import Machine
from stack.code import TRAINING, training_code
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch, snapshots
from stack.tracker import current_tracker, registry_client


@step(experiment_tracker=True, cache_policy=TRAINING, output_materializers=ReferenceMaterializer)
def pretrain(
    blocks: Blocks,
    spec: PeerSpec,
    network: NetworkConfig,
    optimizer: OptimizerConfig,
    config: PretrainConfig,
    snapshot: SnapshotConfig,
    start: Start | None,
) -> Annotated[Models, "pretrained"]:
    """Train for the configured epochs, keep the one with the best dev AUC.

    Which weights it starts from was decided before (`stack/starts.py`). A step that was killed and
    is run again goes on from its last snapshot.
    """
    title = f"pretrain {spec.architecture} seed {spec.seed}"
    rows = config.epochs * blocks.train_rows
    params = {"peer": spec, "network": network, "optimizer": optimizer, "pretrain": config}
    params |= {"machine": Machine.of(optimizer.precision)}
    decides = (training_code(), blocks.digest, spec, network, optimizer, config, start)
    kept = snapshots(*decides, every_steps=snapshot.every_steps)
    with (
        scratch() as folder,
        watched(current_tracker(), [title], [params], title, rows) as (progress, run_ids),
        fetched(registry_client(), start) as earlier,
    ):
        pretrain_peer(blocks, spec, network, optimizer, config, progress, folder, kept, earlier)
        return Models.of(folder, run_ids=run_ids)
