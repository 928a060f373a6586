"""How far two sets of probabilities lie apart, label or no label."""

import numpy as np

from mutualctr.closed import Closed

PSI_BINS = 10
PSI_FLOOR = 1e-4
"""Least share of a bin: an empty one would make the index infinite."""


class ScoreBins(Closed):
    """What is left of the expected scores once they are gone: bins and the share of each.

    Bins are closed on the right: (−∞, e_1], (e_1, e_2], …, (e_m, ∞).
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, expected_B: np.ndarray) -> "ScoreBins":
        """`PSI_BINS` bins of equal mass; fewer where many scores are equal."""
        edges = np.unique(np.quantile(expected_B, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
        return cls(edges=tuple(edges.tolist()), shares=tuple(_shares(edges, expected_B).tolist()))

    def psi(self, observed_B: np.ndarray) -> float:
        """`psi` of the scores that the bins were made of against these."""
        share_pb = np.maximum(self.shares, PSI_FLOOR)
        share_qb = np.maximum(_shares(np.array(self.edges), observed_B), PSI_FLOOR)
        return float(((share_qb - share_pb) * np.log(share_qb / share_pb)).sum())


def _shares(edges: np.ndarray, score_B: np.ndarray) -> np.ndarray:
    bin_B = np.searchsorted(edges, score_B, side="left")
    return np.bincount(bin_B, minlength=len(edges) + 1) / len(score_B)


def psi(expected_B: np.ndarray, observed_B: np.ndarray) -> float:
    """Population stability index: Σ_b (q_b − p_b) · ln(q_b / p_b).

    p_b and q_b are the shares of `expected_B` and `observed_B` in `PSI_BINS` bins that cut
    `expected_B` into equal masses; a share below `PSI_FLOOR` counts as that. Where many expected
    values are equal, bins that would be empty are left out. 0 is the same distribution; credit
    scoring, where the index is from, calls 0.1 small and 0.25 large.

    The number of rows may differ. Shapes: both any score, such as a probability.
    """
    return ScoreBins.of(expected_B).psi(observed_B)
