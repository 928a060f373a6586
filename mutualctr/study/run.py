"""All cells of a study, those that are not there yet trained in parallel."""

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import torch

from mutualctr.study.cells import Cell, find
from mutualctr.study.plan import (
    ArmCell,
    arm_cells,
    arm_key,
    pretrained_key,
    pretrained_specs,
)
from mutualctr.study.train import Bench, arm_cell, pretrained_cell

Report = Callable[[int, int, str], None]
"""Called with (cells done, cells in all, what was done last)."""


def run_study(bench: Bench, report: Report) -> list[tuple[ArmCell, Cell]]:
    """Make every cell that is missing, pretrained peers first; returns the arms' cells.

    Killed in between, the finished cells stay and the next call goes on from there. With one
    worker everything happens in this process.
    """
    bench.store.mkdir(parents=True, exist_ok=True)
    specs, arms = pretrained_specs(bench.config), list(arm_cells(bench.config))
    world = bench.world
    jobs = [
        [
            (pretrained_cell, spec, f"pretrained {spec.architecture} seed {spec.seed}")
            for spec in specs
            if find(bench.store, pretrained_key(world, bench.config, spec)) is None
        ],
        [
            (arm_cell, cell, f"{cell.arm.name} of {cell.cohort}, group {cell.group}")
            for cell in arms
            if find(bench.store, arm_key(world, bench.config, cell)) is None
        ],
    ]
    total = len(specs) + len(arms)
    done = total - sum(len(wave) for wave in jobs)
    report(done, total, "what was there already")
    for wave in jobs:
        for name in _finished(bench, wave):
            done += 1
            report(done, total, name)
    found = [(cell, find(bench.store, arm_key(world, bench.config, cell))) for cell in arms]
    assert all(cell is not None for _, cell in found)
    return found


def _finished(bench: Bench, jobs: list[tuple[Callable, Any, str]]) -> Iterable[str]:
    """Do the jobs; yields the name of each when it is done."""
    workers = min(bench.config.workers, len(jobs))
    if workers <= 1:
        for make, what, name in jobs:
            make(bench, what)
            yield name
        return
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    pool = ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(threads,),
    )
    with pool:
        futures = {pool.submit(_make, bench, make, what): name for make, what, name in jobs}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _make(bench: Bench, make: Callable, what: Any) -> None:
    make(bench, what)  # the cell lies in the store; nothing needs to come back
