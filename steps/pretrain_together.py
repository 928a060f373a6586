"""A cohort's peers in one pass over the rows, each as if alone."""

from contextlib import ExitStack
from typing import Annotated

from zenml import step

from mutualctr.cohort import PeerSpec, Start
from mutualctr.config import NetworkConfig, OptimizerConfig, PretrainConfig, SnapshotConfig
from mutualctr.reference import Blocks, Models
from mutualctr.registry.start import fetched
from mutualctr.registry.watch import watched
from mutualctr.training.arms import pretrain_peers
from mutualctr.training.machine import Machine
from stack.code import TRAINING, training_code
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch, snapshots
from stack.tracker import current_tracker, registry_client


@step(experiment_tracker=True, cache_policy=TRAINING, output_materializers=ReferenceMaterializer)
def pretrain_together(
    blocks: Blocks,
    specs: list[PeerSpec],
    network: NetworkConfig,
    optimizer: OptimizerConfig,
    config: PretrainConfig,
    snapshot: SnapshotConfig,
    starts: list[Start | None],
) -> Annotated[Models, "pretrained"]:
    """Every peer's best dev epoch, the same bits as `pretrain` gives, and one run for each.

    A step that was killed and is run again goes on from each peer's last snapshot.
    """
    names = [f"pretrain {spec.architecture} seed {spec.seed}" for spec in specs]
    rows = len(specs) * config.epochs * blocks.train_rows
    shared = {"network": network, "optimizer": optimizer, "pretrain": config}
    shared |= {"machine": Machine.of(optimizer.precision)}
    params = [{"peer": spec} | shared for spec in specs]
    decides = [
        (training_code(), blocks.digest, spec, network, optimizer, config, start)
        for spec, start in zip(specs, starts, strict=True)
    ]
    kept = [snapshots(*parts, every_steps=snapshot.every_steps) for parts in decides]
    title = f"pretrain {len(specs)} peers together"
    with (
        scratch() as folder,
        watched(current_tracker(), names, params, title, rows) as (progress, run_ids),
        ExitStack() as stack,
    ):
        earlier = [stack.enter_context(fetched(registry_client(), start)) for start in starts]
        pretrain_peers(blocks, specs, network, optimizer, config, progress, folder, kept, earlier)
        return Models.of(folder, run_ids=run_ids)
