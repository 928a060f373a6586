"""What mutual_finetune and control_finetune share: one epoch of a cohort, watched."""

from typing import Literal

from mutualctr.cohort import Peer
from mutualctr.config import FinetuneConfig, OptimizerConfig, SnapshotConfig
from mutualctr.reference import Blocks, Models
from mutualctr.registry.watch import watched
from mutualctr.training.machine import Machine
from mutualctr.training.on_ranks import Job, finetune_on_ranks
from stack.code import training_code
from stack.resources import ranks_of_step
from stack.scratch import scratch, snapshot_folder
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

    A step that was killed and is run again goes on from its last snapshot, where as many ranks
    share the peers as before.
    """
    ranks = ranks_of_step(len(peers))
    names = [f"{arm} {peer.spec.architecture} seed {peer.spec.seed}" for peer in peers]
    machine = Machine.of(optimizer.precision)
    params = [{"optimizer": optimizer, "finetune": config, "machine": machine}] * len(peers)
    title = f"{arm} finetune of {len(peers)} peers" + (f" on {ranks} ranks" if ranks > 1 else "")
    digests = [models.digest for models in pretrained]
    decides = (training_code(), arm, blocks.digest, *digests, optimizer, config, ranks)
    what = {"blocks": blocks, "pretrained": pretrained, "arm": arm, "config": config}
    kept = {"snapshots": snapshot_folder(*decides), "every_steps": snapshot.every_steps}
    with (
        scratch() as folder,
        watched(current_tracker(), names, params, title, blocks.train_rows) as (progress, run_ids),
    ):
        job = Job(**what, optimizer=optimizer, folder=folder, **kept)
        finetune_on_ranks(job, ranks, progress)
        return Models.of(folder, run_ids=run_ids)
