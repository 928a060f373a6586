"""A run that never happened: clicks with known odds, and peers that see them through noise."""

import numpy as np

from mutualctr.evaluation.report import build_report
from mutualctr.evaluation.scored import ARMS, Peer, Scored

NOISE = {"pretrained": 0.8, "control": 0.75, "mutual": 0.6}


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def scored_run(groups: int, peers: int, rows: int) -> tuple[list[Scored], np.ndarray]:
    """Each peer keeps its noise from arm to arm, weaker after control, weakest after mutual."""
    draw = np.random.default_rng(7)
    logit_B = draw.normal(-1.2, 1.2, rows)
    label_B = (draw.random(rows) < sigmoid(logit_B)).astype(np.int8)
    scored = []
    for group in range(groups):
        for n in range(peers):
            name = f"g{group}-deepfm-{n}" if groups > 1 else f"deepfm-{n}"
            peer = Peer(name, "deepfm", 100 * group + n, group)
            own_B, fresh_AB = draw.normal(size=rows), draw.normal(size=(len(ARMS), rows))
            for arm, fresh_B in zip(ARMS, fresh_AB, strict=True):
                noise_B = NOISE[arm] * (0.98 * own_B + 0.2 * fresh_B)
                scored.append(Scored(peer, arm, sigmoid(0.9 * logit_B + noise_B)))
    return scored, label_B


def curve_records(scored: list[Scored]) -> list[dict]:
    records = []
    for entry in scored:
        pretrained = entry.arm == "pretrained"
        for epoch in (1.0, 2.0, 3.0) if pretrained else (0.25, 0.5, 0.75, 1.0):
            gain = 0.01 * epoch if pretrained else 0.03 + 0.004 * epoch * (entry.arm == "mutual")
            record = {
                "peer": entry.peer.name,
                "arm": entry.arm,
                "epoch": epoch,
                "train_loss": 0.5 - gain,
                "dev_auc": 0.7 + gain + 0.0005 * (entry.peer.seed % 4),
                "dev_logloss": 0.52 - gain,
                "lr": 1e-3 * 10 ** (-epoch / 3),
            }
            if entry.arm == "mutual":
                record["mutual_loss"] = 0.002 / epoch
            records.append(record)
    return records


def synthetic_report(groups: int, peers: int = 4, rows: int = 3000) -> dict:
    scored, label_B = scored_run(groups, peers, rows)
    return build_report(
        scored=scored,
        label_B=label_B,
        curves=curve_records(scored),
        baseline={
            "auc": 0.6512,
            "logloss": 0.5312,
            "rows": 8 * rows,
            "hash_bits": 18,
            "method": "logistic regression on hashed features, trained on all train rows.",
            "probability": np.full(rows, 0.25),
        },
        dataset={"name": "synthetic clicks", "source": "clicks.parquet", "sha256": "ab" * 32},
        rows={"train": 8 * rows, "dev": rows, "test": rows},
        config={"mutual": {"weight": 1.0, "space": "prob"}, "peers": ["deepfm"] * peers},
        versions={"python": "3.11", "torch": "2.13", "mutualctr": "0.1.0"},
    )
