"""What mutual_finetune and control_finetune share: one epoch of a cohort, watched."""

from typing import Literal

from mutualctr.cohort import Peer
from mutualctr.config import FinetuneConfig, OptimizerConfig, SnapshotConfig
from mutualctr.reference import Blocks, Models
from mutualctr.registry.watch import watched
from mutualctr.training.arms import finetune_cohort
from stack.code import training_code
from stack.scratch import scratch, snapshots
from stack.tracker import current_tracker


def finetuned(
    arm: Literal["control", "mutual"],
    blocks: Blocks,
    pretrained: list[Models],
    peers: list[Peer],
    optimizer: OptimizerConfig,
    config: FinetuneConfig,
    snapshot: SnapshotConfig,
) -> Models:
    """Run the arm into the artifact store, one child run per peer.

    A step that was killed and is run again goes on from its last snapshot.
    """
    names = [f"{arm} {peer.spec.architecture} seed {peer.spec.seed}" for peer in peers]
    params = {"optimizer": optimizer, "finetune": config}
    title = f"{arm} finetune of {len(peers)} peers"
    digests = [models.digest for models in pretrained]
    decides = (training_code(), arm, blocks.digest, *digests, optimizer, config)
    kept = snapshots(*decides, every_steps=snapshot.every_steps)
    with (
        scratch() as folder,
        watched(current_tracker(), names, params, title, blocks.train_rows) as (progress, run_ids),
    ):
        finetune_cohort(blocks, pretrained, arm, optimizer, config, progress, folder, kept)
        return Models.of(folder, run_ids=run_ids)
