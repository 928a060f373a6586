"""One finetune arm with its peers on several processes.

    torchrun --standalone --nproc-per-node 2 -m mutualctr.training.on_ranks job.json

Each process trains its part of the cohort and writes the checkpoints of those peers. On GPUs the
process of local rank r has the r-th device and NCCL; without them gloo carries the logits.
`finetune_on_ranks` starts the same on this machine, passes on what the processes tell, and none of
them outlives it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
import torch.distributed as dist

from mutualctr.closed import Closed
from mutualctr.config import FinetuneConfig, OptimizerConfig
from mutualctr.errors import ConfigError, ProcessError, UserError
from mutualctr.reference import Blocks, Models
from mutualctr.training.arms import finetune_cohort
from mutualctr.training.loop import Progress
from mutualctr.training.ranks import Alone, Ranks
from mutualctr.training.snapshots import Snapshots

TELLS_EVERY_SECONDS = 1.0
GRACE_SECONDS = 10
LOOPBACK = {"linux": "lo", "darwin": "lo0"}
"""Interface of the loopback addresses, for gloo, which would take the one of the host's name."""
SILENT = Progress(report=lambda rows: None, record=lambda peer, point: None)


class Job(Closed):
    """What `finetune_cohort` is called with, as a file for every rank."""

    blocks: Blocks
    pretrained: tuple[Models, ...]
    arm: Literal["control", "mutual"]
    optimizer: OptimizerConfig
    config: FinetuneConfig
    folder: Path
    """Where checkpoints go; it exists."""
    snapshots: Path | None
    """Of one process in this folder, of several in a folder each below it."""
    every_steps: int

    @property
    def peers(self) -> int:
        """How many the cohort has."""
        return sum(len(models.checkpoints) for models in self.pretrained)


class Told(Closed):
    """A line that a rank prints; exactly one of rows, point and failed is there."""

    rows: int | None = None
    """Done since the last such line, the same for all ranks; only the first one tells."""
    peer: int | None = None
    point: dict[str, int | float] | None = None
    """Of that peer's learning curve."""
    failed: str | None = None
    """A sentence."""


def finetune_on_ranks(job: Job, processes: int, progress: Progress = SILENT) -> None:
    """Run the job with so many processes here; with one it runs in this process.

    Weights are those of one process, to the last bit where all have as many threads. Several
    share this process's threads. Raises what a rank raised where that is a UserError, and
    ProcessError where one ended in another way; its snapshots stay.
    """
    if processes == 1:
        _finetune(job, progress, job.snapshots, Alone())
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "job.json"
        path.write_text(job.model_dump_json(), encoding="utf-8")
        _run(path, processes, progress)
    if job.snapshots is not None:
        job.snapshots.rmdir()


def _run(path: Path, processes: int, progress: Progress) -> None:
    threads = max(1, torch.get_num_threads() // processes)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    if sys.platform in LOOPBACK:
        environment.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK[sys.platform])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--local-addr", "localhost", "--nproc-per-node", str(processes)]
    process = subprocess.Popen(
        [*torchrun, "-m", "mutualctr.training.on_ranks", str(path), "--tethered"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
    )
    failed = None
    try:
        for line in process.stdout:
            if not line.startswith('{"told":'):
                sys.stderr.write(line)
                continue
            told = Told.model_validate_json(line.strip()[len('{"told":') : -1])
            if told.rows is not None:
                progress.report(told.rows)
            elif told.point is not None:
                progress.record(told.peer, told.point)
            else:
                failed = failed or told.failed
        code = process.wait()
    finally:
        process.stdin.close()  # what still runs ends
        process.stdout.close()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if failed is not None:
        raise UserError(failed)
    if code != 0:
        raise ProcessError(
            f"One of the {processes} processes that share a cohort ended early: what it said "
            "stands above, and where it said nothing the system ended it (out of memory?); "
            "snapshots are kept, so the same command goes on from there."
        )


def _finetune(job: Job, progress: Progress, snapshots: Path | None, ranks: Alone) -> None:
    finetune_cohort(
        job.blocks,
        job.pretrained,
        job.arm,
        job.optimizer,
        job.config,
        progress,
        job.folder,
        None if snapshots is None else Snapshots(snapshots, job.every_steps),
        ranks,
    )


def main(path: Path) -> None:
    """The work of one rank. Raises ConfigError where a rank would be without a peer or a GPU."""
    job = Job.model_validate_json(path.read_text(encoding="utf-8"))
    world, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if world > job.peers:
        raise ConfigError(f"{world} ranks cannot share {job.peers} peers; start {job.peers}.")
    gpus = torch.cuda.device_count()
    if 0 < gpus < here:
        raise ConfigError(f"{here} ranks are to share {gpus} GPUs; start {gpus}, one for each.")
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if gpus else "gloo")
    try:
        rank = dist.get_rank()
        report, flush = _at_times(_tell if rank == 0 else lambda told: None)
        record = lambda n, point: _tell(Told(peer=n, point=point))  # noqa: E731
        snapshots = None if job.snapshots is None else job.snapshots / str(rank)
        _finetune(job, Progress(report, record), snapshots, Ranks(job.peers))
        flush()
    finally:
        dist.destroy_process_group()


def _at_times(tell: Callable[[Told], None]) -> tuple[Callable[[int], None], Callable[[], None]]:
    """Rows add up until enough time has passed to tell of them."""
    rows, last = 0, time.monotonic()

    def report(more: int) -> None:
        nonlocal rows
        rows += more
        if time.monotonic() - last > TELLS_EVERY_SECONDS:
            flush()

    def flush() -> None:
        nonlocal rows, last
        tell(Told(rows=rows))
        rows, last = 0, time.monotonic()

    return report, flush


def _tell(told: Told) -> None:
    """One write, so that lines of several ranks in one pipe stay whole."""
    sys.stdout.write(f'{{"told":{told.model_dump_json(exclude_none=True)}}}\n')
    sys.stdout.flush()


def _end_with_standard_input() -> None:
    """End this process when whoever holds the other end of its standard input is gone."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", type=Path, help="a Job as JSON")
    parser.add_argument("--tethered", action="store_true", help="end with standard input")
    given = parser.parse_args()
    if given.tethered:
        _end_with_standard_input()
    try:
        main(given.job)
    except UserError as error:
        _tell(Told(failed=str(error)))
        sys.exit(1)
