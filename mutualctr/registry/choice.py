"""Which of the mutual peers is to serve. Test rows have no say in it."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.base import ClickModel
from mutualctr.closed import Closed
from mutualctr.config import PromotionConfig
from mutualctr.training import checkpoint
from mutualctr.training.predict import predict_ids

ROUNDS = 15
TIMED_ROWS = 1000
ALIKE = 1.05
"""Times within this factor are the same: a measurement is no more exact than that."""


class Candidate(Closed):
    """A mutual peer with what it is worth and what it costs."""

    peer: str
    architecture: str
    dev_auc: float
    model_us_per_row: float
    """Median time of the network on encoded rows, in batches of 1000; encoding is the same."""
    weights_bytes: int


def measure(names: Sequence[str], folders: Sequence[Path], ids_RF: np.ndarray) -> list[Candidate]:
    """Dev AUC, time and size of each checkpoint; the rounds take turns, so noise hits all alike."""
    loaded = [checkpoint.load(folder) for folder in folders]
    ids_BF = np.array(ids_RF[:TIMED_ROWS])
    taken = np.array([[_timed(model, ids_BF) for _, model in loaded] for _ in range(ROUNDS)])
    return [
        Candidate(
            peer=name,
            architecture=card.architecture,
            dev_auc=card.curve[-1]["dev_auc"],
            model_us_per_row=float(1e6 * median / len(ids_BF)),
            weights_bytes=(folder / checkpoint.WEIGHTS).stat().st_size,
        )
        for name, folder, (card, _), median in zip(
            names, folders, loaded, np.median(taken, axis=0), strict=True
        )
    ]


def choose(candidates: Sequence[Candidate], config: PromotionConfig) -> int:
    """Position of the best by dev AUC, or of the fastest within `tolerance` of the best.

    Of equally fast ones the better; of equally good ones the first.
    """
    best = max(candidate.dev_auc for candidate in candidates)
    if config.choose == "best":
        allowed = list(candidates)
    else:
        near = [c for c in candidates if c.dev_auc >= best - config.tolerance]
        fastest = min(c.model_us_per_row for c in near)
        allowed = [c for c in near if c.model_us_per_row <= ALIKE * fastest]
    return candidates.index(max(allowed, key=lambda candidate: candidate.dev_auc))


def _timed(model: ClickModel, ids_BF: np.ndarray) -> float:
    started = time.perf_counter()
    predict_ids(model, ids_BF)
    return time.perf_counter() - started
