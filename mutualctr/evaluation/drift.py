"""How far two sets of probabilities lie apart, label or no label."""

import numpy as np

PSI_BINS = 10
PSI_FLOOR = 1e-4
"""Least share of a bin: an empty one would make the index infinite."""


def psi(expected_B: np.ndarray, observed_B: np.ndarray) -> float:
    """Population stability index: Σ_b (q_b − p_b) · ln(q_b / p_b).

    p_b and q_b are the shares of `expected_B` and `observed_B` in `PSI_BINS` bins that cut
    `expected_B` into equal masses; a share below `PSI_FLOOR` counts as that. Where many expected
    values are equal, bins that would be empty are left out. 0 is the same distribution; credit
    scoring, where the index is from, calls 0.1 small and 0.25 large.

    The number of rows may differ. Shapes: both any score, such as a probability.
    """
    edges = np.unique(np.quantile(expected_B, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
    share_pb, share_qb = (
        np.bincount(np.searchsorted(edges, score_B, side="left"), minlength=len(edges) + 1)
        / len(score_B)
        for score_B in (expected_B, observed_B)
    )
    share_pb, share_qb = np.maximum(share_pb, PSI_FLOOR), np.maximum(share_qb, PSI_FLOOR)
    return float(((share_qb - share_pb) * np.log(share_qb / share_pb)).sum())
