"""How long does a mutual epoch of four peers take on this machine's device, and what takes it?

    make bench-epoch [ROWS=36700000]
    python benchmarks/bench_epoch.py [--rows 36700000]

Two cohorts finetune on generated rows of Criteo's shape, as a run would: four DeepFM, and one each
of the paper's four architectures; batch 4000, embedding 16, MLP 400-200-100, a million ids, the
product's own loop and defaults. Clicks follow no law, because time is asked for and not AUC. The
epoch is timed from the end of its first step to the end of its last and scaled by one step; judging
dev is not in it. Then eight steps of another are looked at with torch's profiler.

Without --rows: 36.7 million on a GPU, a hundredth of it on a CPU. Writes outputs/bench/epoch.json.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import hardware
from torch.profiler import ProfilerActivity, profile
from train_data import EXPONENT, SIZES

from models.registry import build
from mutualctr.config import FinetuneConfig, OptimizerConfig
from mutualctr.data.blocks import Block
from mutualctr.training import loop
from mutualctr.training.determinism import deterministic
from mutualctr.training.machine import Machine, best_device

OUTPUT = Path(__file__).resolve().parent.parent / "outputs" / "bench" / "epoch.json"
COHORTS = {"deepfm": ("deepfm",) * 4, "mixed": ("deepfm", "dcn", "pnn", "fibinet")}
CRITEO_TRAIN_ROWS = 36_700_000
BATCH = 4000
DEV_ROWS = 4096
WARM_UP, LOOKED_AT = 6, 8
"""Steps; on a GPU the first three are eager and the fourth is recorded."""
MOST = 12


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int)
    given = arguments.parse_args()
    least = BATCH * (WARM_UP + LOOKED_AT)
    if given.rows is not None and given.rows < least:
        arguments.error(f"--rows {given.rows} are too few steps to look at; give {least} or more.")
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # why a step is not recorded
    on_gpu = best_device().type == "cuda"
    rows = given.rows or (CRITEO_TRAIN_ROWS if on_gpu else CRITEO_TRAIN_ROWS // 100)
    written = {"hardware": hardware(), "gpu": torch.cuda.get_device_name() if on_gpu else None}
    written |= {"machine": Machine.of("auto").model_dump(), "rows": rows, "batch": BATCH}
    block = drawn_block(rows)
    for name, architectures in COHORTS.items():
        written[name] = measure(architectures, block)
        print(json.dumps({name: written[name]}, indent=1), flush=True)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def drawn_block(rows: int) -> Block:
    """Ids drawn as in train_data.py, density falling with rank; a quarter clicked."""
    device = best_device()
    generator = torch.Generator(device).manual_seed(1)
    ids_RF = np.empty((rows, len(SIZES)), np.int32)
    first = 0
    for field, size in enumerate(SIZES):
        weight_V = (torch.arange(size, device=device, dtype=torch.float64) + 1.5) ** -EXPONENT
        cumulative_V = weight_V.cumsum(0)
        drawn_R = torch.rand(rows, device=device, dtype=torch.float64, generator=generator)
        rank_R = torch.searchsorted(cumulative_V, drawn_R * cumulative_V[-1])
        order_V = torch.randperm(size, device=device, generator=generator)
        ids_RF[:, field] = (first + order_V[rank_R.clamp_(max=size - 1)]).cpu().numpy()
        first += size
    return Block(ids_RF, (np.arange(rows) % 4 == 0).astype(np.uint8), np.arange(rows))


def measure(architectures: Sequence[str], block: Block) -> dict[str, Any]:
    """One cohort's epoch over the block, and a look into a few steps of another."""
    on_gpu = best_device().type == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    steps, taken, ticks = -(-block.rows // BATCH), 0, []

    def report(done: int) -> None:
        nonlocal taken
        taken += done > 0
        if done and taken in (1, steps):
            ticks.append(now())

    finetune(architectures, block, report)
    seconds = (ticks[1] - ticks[0]) * steps / (steps - 1)
    found = {
        "peers": list(architectures),
        "seconds": round(seconds, 2),
        "ms_per_step": round(1000 * seconds / steps, 3),
        "rows_per_s": round(block.rows / seconds),
    }
    if on_gpu:
        found["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return found | {"share_of_time": looked_into(architectures, block)}


def looked_into(architectures: Sequence[str], block: Block) -> dict[str, float]:
    """Operators (on a GPU: kernels) by their share of the time of all of them, largest first.

    On a CPU by one thread: the profiler does not see what peers do on threads of their own.
    """
    rows = min(block.rows, BATCH * (WARM_UP + LOOKED_AT + 1))
    few = Block(block.ids_RF[:rows], block.label_R[:rows], block.row_R[:rows])
    on_gpu = best_device().type == "cuda"
    watched = profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU])
    steps = 0

    def report(done: int) -> None:
        nonlocal steps
        if done:
            steps += 1
            if steps == WARM_UP:
                watched.start()
            elif steps == WARM_UP + LOOKED_AT:
                watched.stop()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    finetune(architectures, few, report)
    torch.set_num_threads(threads)
    taken = {
        each.key: each.self_device_time_total if on_gpu else each.self_cpu_time_total
        for each in watched.key_averages()
    }
    largest = sorted(taken, key=taken.get, reverse=True)[:MOST]
    return {name[:100]: round(taken[name] / sum(taken.values()), 3) for name in largest}


def finetune(architectures: Sequence[str], train: Block, report: Callable[[int], None]) -> None:
    """One epoch of fresh peers with the product's defaults."""
    peers = []
    for seed, architecture in enumerate(architectures):
        torch.manual_seed(seed)
        peers.append(
            build(
                architecture,
                num_ids=sum(SIZES),
                num_fields=len(SIZES),
                embedding_dim=16,
                hidden=(400, 200, 100),
                dropout=0.0,
            )
        )
    dev = Block(train.ids_RF[:DEV_ROWS], train.label_R[:DEV_ROWS], train.row_R[:DEV_ROWS])
    optimizer = OptimizerConfig(
        batch_rows=BATCH, l2_embedding=1e-5, l2_mlp=1e-7, l2_scope="full", precision="auto"
    )
    config = FinetuneConfig(lr=1e-4, weight=1.0, space="prob", seed=1)
    progress = loop.Progress(report=report, record=lambda n, point: None)
    with deterministic():
        loop.finetune(peers, train, dev, optimizer, config, config.weight, progress)


def now() -> float:
    """Seconds, when the device has done all it was given."""
    if best_device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
