"""The peers of one group asked together."""

import numpy as np


def mean_probability(probability_NB: np.ndarray) -> np.ndarray:
    """The plain average of the peers' probabilities: p_B = 1/N · Σ_n p_nB.

    Every arm shows it, because averaging alone can gain as much as mutual learning claims to.
    """
    return probability_NB.mean(axis=0)
