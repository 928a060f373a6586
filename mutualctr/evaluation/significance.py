"""How far a difference of AUCs can be trusted: over test rows (DeLong), over seed groups (t)."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mutualctr.errors import DataError
from mutualctr.evaluation.auc import clicks, pairs, wins


@dataclass(frozen=True)
class Interval:
    """A difference, its standard error and its two-sided confidence interval; all in AUC."""

    delta: float
    se: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Delong:
    """K AUCs on the same rows and how they vary together: auc_K, covariance_KK."""

    auc_K: np.ndarray
    covariance_KK: np.ndarray

    def interval(self, contrast_K: np.ndarray, level: float) -> Interval:
        """The normal interval of Σ_k c_k·AUC_k, whose variance is cᵀ·covariance·c.

        With c = 1/N on N peers after one arm and −1/N on the same peers after another, it is the
        interval of their mean gain; that they share the rows is in the covariance.
        """
        delta = float(contrast_K @ self.auc_K)
        variance = float(contrast_K @ self.covariance_KK @ contrast_K)
        se = max(variance, 0.0) ** 0.5  # equal scores leave a variance of rounding, maybe −1e-20
        half = NormalDist().inv_cdf((1 + level) / 2) * se
        return Interval(delta, se, delta - half, delta + half)


def delong(label_B: np.ndarray, score_KB: Sequence[np.ndarray]) -> Delong:
    """AUCs of K scores of the same rows with their covariance.

    V10_kp = wins of click p / n,  V01_kn = wins of non-click n / m  (m clicks, n non-clicks)
    covariance = cov(V10)/m + cov(V01)/n, the sample covariances with m − 1 and n − 1

    Shapes: label_B 0 or 1; score_KB K arrays of B scores, logit or probability.
    Raises: DataError as `auc` does, and where a class has fewer than two rows.
    Source: DeLong, DeLong & Clarke-Pearson 1988; the components by sorting instead of by pairs as
    in Sun & Xu 2014. Our deviation: one sort per score where theirs takes three.
    """
    click_B = clicks(label_B)
    m = int(click_B.sum())
    n = len(click_B) - m
    if min(m, n) < 2:
        raise DataError(
            f"the split has {m} clicks and {n} non-clicks, but an interval needs two of each; "
            "give the split more rows."
        )
    auc_K = np.empty(len(score_KB))
    click_part_Km = np.empty((len(score_KB), m))
    other_part_Kn = np.empty((len(score_KB), n))
    for k, score_B in enumerate(score_KB):
        won_B = wins(click_B, score_B)
        auc_K[k] = won_B[click_B].sum() / pairs(click_B)
        click_part_Km[k] = won_B[click_B] / n
        other_part_Kn[k] = won_B[~click_B] / m
    covariance_KK = np.zeros((len(score_KB), len(score_KB)))
    for part_K in (click_part_Km, other_part_Kn):
        rows = part_K.shape[1]
        part_K -= auc_K[:, None]  # the mean of either part is the AUC
        covariance_KK += part_K @ part_K.T / (rows - 1) / rows
    return Delong(auc_K, covariance_KK)


def auc_se(label_B: np.ndarray, score_B: np.ndarray) -> float:
    """DeLong's standard error of one AUC. Shapes and errors as for `delong`."""
    return float(delong(label_B, [score_B]).covariance_KK[0, 0] ** 0.5)


def paired_delong(
    label_B: np.ndarray, score_a_B: np.ndarray, score_b_B: np.ndarray, level: float
) -> Interval:
    """AUC(a) − AUC(b) on the same rows. Shapes, errors and source as for `delong`."""
    return delong(label_B, [score_a_B, score_b_B]).interval(np.array([1.0, -1.0]), level)


def group_interval(deltas: Sequence[float], level: float) -> Interval:
    """The t-interval of the mean difference over seed groups: mean ± t_{n−1} · sd/√n.

    The unit of replication is the group, because peers of one joint run are not independent.
    This covers another choice of seeds, on the same data; DeLong covers another choice of rows.
    """
    from scipy.special import stdtrit

    n = len(deltas)
    assert n >= 2, "one group has no spread"
    mean = float(np.mean(deltas))
    se = float(np.std(deltas, ddof=1)) / n**0.5
    half = float(stdtrit(n - 1, (1 + level) / 2)) * se
    return Interval(mean, se, mean - half, mean + half)


def holm(p_K: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: family-wise error over K tests.

    adjusted of the k-th smallest (from 0) = max over j ≤ k of min(1, (K − j) · p_j)

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    order = np.argsort(p_K, kind="stable")
    adjusted_K, largest = [0.0] * len(p_K), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p_K) - place) * float(p_K[k])))
        adjusted_K[k] = largest
    return adjusted_K
