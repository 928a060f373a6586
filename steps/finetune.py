"""What mutual_finetune and control_finetune share: one epoch of a cohort, watched."""

from typing import Literal

from mutualctr.cohort import Peer
from mutualctr.config import FinetuneConfig, OptimizerConfig
from mutualctr.reference import Blocks, Models
from mutualctr.registry.watch import watched
from mutualctr.training.arms import finetune_cohort
from stack.scratch import scratch
from stack.tracker import current_tracker


def finetuned(
    arm: Literal["control", "mutual"],
    blocks: Blocks,
    pretrained: list[Models],
    peers: list[Peer],
    optimizer: OptimizerConfig,
    config: FinetuneConfig,
) -> Models:
    """Run the arm into the artifact store, one child run per peer."""
    names = [f"{arm} {peer.spec.architecture} seed {peer.spec.seed}" for peer in peers]
    params = {"optimizer": optimizer, "finetune": config}
    title = f"{arm} finetune of {len(peers)} peers"
    with (
        scratch() as folder,
        watched(current_tracker(), names, params, title, blocks.train_rows) as (progress, run_ids),
    ):
        finetune_cohort(blocks, pretrained, arm, optimizer, config, progress, folder)
        return Models.of(folder, run_ids=run_ids)
