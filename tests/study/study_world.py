"""A study small enough for a test: 300 rows of random ids, two architectures, two groups."""

from pathlib import Path

import numpy as np
from worlds import NUM_IDS, SIZES, block

from mutualctr.reference import Blocks
from mutualctr.study.config import StudyConfig
from mutualctr.study.train import Bench

PARTS = {"train": (300, 1), "dev": (120, 2), "test": (120, 3)}


def blocks(folder: Path) -> Blocks:
    for part, (rows, seed) in PARTS.items():
        made = block(rows, seed)
        (folder / part).mkdir(parents=True)
        np.save(folder / part / "ids.npy", made.ids_RF)
        np.save(folder / part / "label.npy", made.label_R)
        np.save(folder / part / "row.npy", made.row_R)
    return Blocks.of(folder, train_rows=300, num_ids=NUM_IDS, num_fields=len(SIZES))


def config(**changed) -> StudyConfig:
    peers = [{"architecture": "deepfm", "seed": seed} for seed in (1, 2)]
    finetuning = {"lr": 7e-3, "weight": 2.0, "space": "prob", "seed": 3}
    plain = {
        "data": {"contract": "criteo", "generated": {"rows": 1000, "seed": 1}},
        "split_rows": {"by": "random", "seed": 1},
        "features": {"min_count": 1},
        "network": {"embedding_dim": 4, "hidden": [8], "dropout": 0.0},
        "optimizer": {
            "batch_rows": 50,
            "l2_embedding": 1e-3,
            "l2_mlp": 1e-4,
            "l2_scope": "full",
            "precision": "fp32",
        },
        "pretraining": {"epochs": 2, "lr": 1e-2},
        "groups": 2,
        "workers": 1,
        "arms": [
            {"name": "control", "kind": "control"},
            {"name": "mutual", "kind": "mutual", "epochs": 2},
        ],
        "cohorts": [
            {"name": "same", "peers": peers, "finetuning": finetuning},
            {
                "name": "mixed",
                "peers": [peers[0], {"architecture": "dcn", "seed": 5}],
                "finetuning": finetuning,
                "arms": ["mutual"],
            },
        ],
        "hypotheses": [],
    }
    return StudyConfig.model_validate(plain | changed)


def bench(folder: Path, **changed) -> Bench:
    return Bench(blocks(folder / "blocks"), config(**changed), folder / "cells", code="1")
