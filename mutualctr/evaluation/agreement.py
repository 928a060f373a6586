"""How alike the peers of one group are: what mutual learning pulls together."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """Means over the P = N(N − 1)/2 pairs of peers; a correlation is None where one is constant."""

    mean_abs_difference: float
    """Mean over rows of |p_i − p_j|, in probability."""
    logit_correlation: float | None
    """Pearson correlation of the logits."""
    error_correlation: float | None
    """Pearson correlation of y − p: an ensemble gains from peers that err differently."""
    churn: float
    """Share of rows that two peers put on different sides of the observed click rate."""


def agreement(label_B: np.ndarray, probability_NB: np.ndarray) -> Agreement:
    """Agreement of N ≥ 2 peers on the same rows.

    Shapes: label_B 0 or 1, probability_NB float64 in [0, 1].
    Churn after Milani Fard et al. 2016, with the click rate for a threshold: hardly any click
    probability crosses the usual ½.
    """
    assert len(probability_NB) >= 2, "one peer has nobody to agree with"
    pairs = list(combinations(range(len(probability_NB)), 2))
    above_NB = probability_NB > label_B.mean()
    epsilon = np.finfo(np.float64).eps
    kept_NB = np.clip(probability_NB, epsilon, 1 - epsilon)
    return Agreement(
        float(np.mean([np.abs(probability_NB[i] - probability_NB[j]).mean() for i, j in pairs])),
        _mean_correlation(np.log(kept_NB) - np.log1p(-kept_NB)),
        _mean_correlation(label_B - probability_NB),
        float(np.mean([(above_NB[i] != above_NB[j]).mean() for i, j in pairs])),
    )


def _mean_correlation(value_NB: np.ndarray) -> float | None:
    if (np.ptp(value_NB, axis=1) == 0).any():
        return None
    correlation_NN = np.corrcoef(value_NB)
    return float(correlation_NN[np.triu_indices(len(value_NB), 1)].mean())
