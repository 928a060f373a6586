"""One finetune arm with its peers on several processes.

    torchrun --standalone --nproc-per-node 2 -m mutualctr.training.on_ranks job.json

Each process trains its part of the cohort and writes the checkpoints of those peers. On GPUs the
process of local rank r has the r-th device and NCCL; without them gloo carries the logits.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import torch
import torch.distributed as dist

from mutualctr.closed import Closed
from mutualctr.config import FinetuneConfig, OptimizerConfig
from mutualctr.reference import Blocks, Models
from mutualctr.training.arms import finetune_cohort
from mutualctr.training.loop import Progress
from mutualctr.training.ranks import Ranks
from mutualctr.training.snapshots import Snapshots


class Job(Closed):
    """What `finetune_cohort` is called with, as a file for every rank."""

    blocks: Blocks
    pretrained: tuple[Models, ...]
    arm: Literal["control", "mutual"]
    optimizer: OptimizerConfig
    config: FinetuneConfig
    folder: Path
    snapshots: Path | None
    every_steps: int


def finetune_on_ranks(job: Job, processes: int) -> None:
    """Run the job with so many processes here; raises CalledProcessError if one fails."""
    path = job.folder / "job.json"
    path.write_text(job.model_dump_json(), encoding="utf-8")
    try:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--standalone",
                "--nproc-per-node",
                str(processes),
                "-m",
                "mutualctr.training.on_ranks",
                str(path),
            ],
            check=True,
        )
    finally:
        path.unlink()
    if job.snapshots is not None:
        job.snapshots.rmdir()


def main(path: Path) -> None:
    """The work of one rank."""
    job = Job.model_validate_json(path.read_text(encoding="utf-8"))
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        peers = sum(len(models.checkpoints) for models in job.pretrained)
        kept = None
        if job.snapshots is not None:
            kept = Snapshots(job.snapshots / str(dist.get_rank()), job.every_steps)
        finetune_cohort(
            job.blocks,
            job.pretrained,
            job.arm,
            job.optimizer,
            job.config,
            Progress(report=lambda rows: None, record=lambda peer, point: None),
            job.folder,
            kept,
            Ranks(peers),
        )
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
