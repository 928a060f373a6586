"""Twenty steps of a training on made-up rows, in a process of its own: seconds and memory.

    python -m mutualctr.training.probe < probe.json

Rows are drawn from the vocabulary as click logs are: a few ids in most rows, most ids in few.
"""

import resource
import statistics
import sys
import time
from typing import Literal

import numpy as np
import torch

from models.registry import build
from mutualctr.closed import Closed
from mutualctr.cohort import PeerSpec
from mutualctr.config import FinetuneConfig, NetworkConfig, OptimizerConfig, PretrainConfig
from mutualctr.data.blocks import Block
from mutualctr.training import loop
from mutualctr.training.determinism import deterministic
from mutualctr.training.loop import Progress
from mutualctr.training.predict import BATCH_ROWS, predict

STEPS = 20
WARM_UP = 5
KIB = 1024


class Probe(Closed):
    """Which peers in which phase, on what shape; several pretrain in one pass."""

    phase: Literal["pretrain", "finetune"]
    specs: tuple[PeerSpec, ...]
    network: NetworkConfig
    optimizer: OptimizerConfig
    finetuning: FinetuneConfig
    num_ids: int
    num_fields: int


class Probed(Closed):
    """What was measured."""

    step_seconds: float
    """Median of one step of the whole cohort."""
    predict_rows_per_second: float
    """Of one peer."""
    peak_bytes: int
    """Resident memory of the process, its libraries included."""


def run(probe: Probe) -> Probed:
    """Measure."""
    rows = probe.optimizer.batch_rows * (STEPS + WARM_UP)
    train = _rows(probe, rows)
    dev = _rows(probe, BATCH_ROWS)
    ticks: list[float] = []
    progress = Progress(
        report=lambda done: ticks.append(time.perf_counter()), record=lambda n, point: None
    )
    with deterministic():
        peers = []
        for spec in probe.specs:
            torch.manual_seed(spec.seed)
            peers.append(
                build(
                    spec.architecture,
                    num_ids=probe.num_ids,
                    num_fields=probe.num_fields,
                    embedding_dim=probe.network.embedding_dim,
                    hidden=probe.network.hidden,
                    dropout=probe.network.dropout,
                    **spec.options,
                )
            )
        turns = 1
        if probe.phase == "pretrain":
            turns = len(peers)  # each reports its own rows
            config = PretrainConfig(epochs=1, lr=probe.finetuning.lr)
            seeds, unkept = range(turns), [None] * turns
            loop.pretrain_together(
                peers, train, dev, probe.optimizer, config, seeds, progress, unkept
            )
        else:
            config = probe.finetuning
            loop.finetune(peers, train, dev, probe.optimizer, config, config.weight, progress)
    last = ticks[turns - 1 :: turns]  # the end of every step of everyone
    seconds = np.diff(last)[WARM_UP:]
    start = time.perf_counter()
    predict(peers[0], dev)
    predicting = time.perf_counter() - start
    return Probed(
        step_seconds=statistics.median(seconds.tolist()),
        predict_rows_per_second=dev.rows / predicting,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB,
    )


def _rows(probe: Probe, rows: int) -> Block:
    """Every field owns as many ids, drawn with density 1/rank; a third of the rows click."""
    rng = np.random.default_rng(0)
    size = probe.num_ids // probe.num_fields
    local_RF = (size ** rng.random((rows, probe.num_fields))).astype(np.int64) - 1
    ids_RF = (np.clip(local_RF, 0, size - 1) + size * np.arange(probe.num_fields)).astype(np.int32)
    label_R = (np.arange(rows) % 3 == 0).astype(np.uint8)
    return Block(ids_RF, label_R, np.arange(rows))


if __name__ == "__main__":
    print(run(Probe.model_validate_json(sys.stdin.read())).model_dump_json())
