"""A contestant of bench_train.py: the project's own loop. Reads its task as JSON from argv."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from train_slices import Turns, finish

from models.registry import build
from mutualctr.config import FinetuneConfig, OptimizerConfig, PretrainConfig
from mutualctr.data.blocks import Block
from mutualctr.evaluation.auc import auc
from mutualctr.training import loop
from mutualctr.training.determinism import deterministic
from mutualctr.training.predict import predict

DEV_ROWS = 4096


def main() -> None:
    task = json.loads(sys.argv[1])
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    folder = Path(task["folder"])
    sizes = np.load(folder / "sizes.npy")
    offsets = np.cumsum([0, *sizes[:-1]]).astype(np.int32)
    ids_RF = np.load(folder / "ids.npy") + offsets
    label_R = np.load(folder / "label.npy")
    batches = task["train_rows"] // task["batch_rows"]
    train, test = (
        Block(ids_RF[part], label_R[part], np.arange(len(label_R[part])))
        for part in (slice(task["train_rows"]), slice(-task["test_rows"], None))
    )
    dev = Block(test.ids_RF[:DEV_ROWS], test.label_R[:DEV_ROWS], test.row_R[:DEV_ROWS])
    optimizer = OptimizerConfig(
        batch_rows=task["batch_rows"],
        l2_embedding=task["l2_embedding"],
        l2_mlp=task["l2_mlp"],
        l2_scope="full",
        precision=task["precision"],
    )
    together = task["peers"] if task.get("together") else 1
    batches *= together  # in one pass every peer has its own
    turns = Turns(batches, task["slice"] * together)
    reports = 0

    def report(rows: int) -> None:
        # Called with 0 before a peer's first batch and after every one.
        nonlocal reports
        if rows == 0 and reports:
            return
        if reports < batches:
            turns.before_batch()
        else:
            turns.end_slice()
        reports += 1

    progress = loop.Progress(report=report, record=lambda n, point: None)
    with deterministic():
        peers = []
        for seed in range(task["peers"]):
            torch.manual_seed(task["seed"] + seed)
            peers.append(
                build(
                    task["model"],
                    num_ids=int(sizes.sum()),
                    num_fields=len(sizes),
                    embedding_dim=task["dim"],
                    hidden=task["hidden"],
                    dropout=0.0,
                )
            )
        if together == len(peers):
            config = PretrainConfig(epochs=1, lr=task["lr"])
            seeds, unkept = [task["seed"] + n for n in range(together)], [None] * together
            loop.pretrain_together(peers, train, dev, optimizer, config, seeds, progress, unkept)
        else:
            config = FinetuneConfig(lr=task["lr"], weight=1.0, space="prob", seed=task["seed"])
            loop.finetune(peers, train, dev, optimizer, config, 1.0, progress)
        finish(auc=auc(test.label_R, predict(peers[0], test)))


if __name__ == "__main__":
    main()
