"""Whether a probability means what it says: logloss, PCOC, reliability and ECE."""

from dataclasses import dataclass

import numpy as np

from mutualctr.evaluation.auc import clicks

RELIABILITY_BINS = 20


@dataclass(frozen=True)
class ReliabilityPoint:
    """One bin of rows with similar probability: what was predicted, what happened."""

    predicted: float
    observed: float
    rows: int


def logloss(label_B: np.ndarray, probability_B: np.ndarray) -> float:
    """−mean(y·ln p + (1 − y)·ln(1 − p)), in nats; `row_losses` has the shapes."""
    return float(row_losses(label_B, probability_B).mean())


def row_losses(label_B: np.ndarray, probability_B: np.ndarray) -> np.ndarray:
    """−ln of the probability that each row's outcome was given, in nats: loss_B.

    Shapes: label_B 0 or 1, probability_B float64 in [0, 1]. Probabilities are kept float64's
    epsilon away from 0 and 1, as scikit-learn does, so that a certain mistake costs 36, not ∞.
    """
    assert probability_B.dtype == np.float64, "in float32 the kept distance would round away"
    epsilon = np.finfo(np.float64).eps
    kept_B = np.clip(probability_B, epsilon, 1 - epsilon)
    return -np.log(np.where(label_B == 1, kept_B, 1 - kept_B))


def pcoc(label_B: np.ndarray, probability_B: np.ndarray) -> float:
    """Predicted clicks over observed clicks: 1 is right, 1.1 promises ten per cent too many.

    Raises: DataError where no row, or every row, is a click.
    """
    return float(probability_B.mean() / clicks(label_B).mean())


def reliability(label_B: np.ndarray, probability_B: np.ndarray) -> list[ReliabilityPoint]:
    """Mean probability and click rate in `RELIABILITY_BINS` bins of equal mass, lowest first.

    A row's bin is ⌊bins · (mid-rank − ½) / B⌋ of its probability, so equal probabilities share a
    bin: the order of the rows cannot matter, and a constant probability is one bin. Bins that get
    no row are left out.
    """
    value_T, tie_B, rows_T = np.unique(probability_B, return_inverse=True, return_counts=True)
    below_T = np.cumsum(rows_T) - rows_T
    bin_T = ((below_T + rows_T / 2) * RELIABILITY_BINS / len(label_B)).astype(np.int64)
    clicks_T = np.bincount(tie_B, weights=label_B)
    rows_b = np.bincount(bin_T, weights=rows_T)
    clicks_b = np.bincount(bin_T, weights=clicks_T)
    predicted_b = np.bincount(bin_T, weights=value_T * rows_T)
    return [
        ReliabilityPoint(float(predicted_b[b] / rows), float(clicks_b[b] / rows), int(rows))
        for b, rows in enumerate(rows_b)
        if rows > 0
    ]


def ece(points: list[ReliabilityPoint]) -> float:
    """Expected calibration error: Σ rows·|observed − predicted| / Σ rows over the bins."""
    rows = sum(point.rows for point in points)
    return sum(point.rows * abs(point.observed - point.predicted) for point in points) / rows
