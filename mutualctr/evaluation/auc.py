"""AUC and its relative improvement: the paper's two measures (§3.2, equations 4 and 5)."""

import numpy as np

from mutualctr.errors import DataError


def auc(label_B: np.ndarray, score_B: np.ndarray) -> float:
    """The share of (non-click, click) pairs that the score puts in the right order.

    AUC = Σ_{clicks p} Σ_{non-clicks n} (1[s_n < s_p] + ½·1[s_n = s_p]) / (n_clicks · n_non-clicks)

    Exact over all rows, never a mean of batches. Equal to the mid-rank formula
    (Σ ranks of clicks − m(m+1)/2) / (m·n).

    Shapes: label_B 0 or 1; score_B any monotone score, logit or probability.
    Raises: DataError where labels hold one class only or anything but 0 and 1, or a score is NaN.
    Source: paper equation 4, which gives a tie 0. Our deviation: a tie counts ½, so that a
    constant score has AUC ½ and −score has 1 − AUC.
    """
    click_B = clicks(label_B)
    return float(wins(click_B, score_B)[click_B].sum()) / pairs(click_B)


def relaimp(auc: float, auc_baseline: float) -> float:
    """(AUC − ½) / (AUC_baseline − ½) − 1, a ratio: 0.004 is 0.4 %.

    Raises: DataError where the baseline is exactly a coin, against which no ratio exists.
    Source: paper equation 5.
    """
    if auc_baseline == 0.5:
        raise DataError(
            "RelaImp against an AUC of exactly 0.5 is undefined: the baseline orders the test rows "
            "like a coin; train it longer or check that its labels belong to its rows."
        )
    return (auc - 0.5) / (auc_baseline - 0.5) - 1


def clicks(label_B: np.ndarray) -> np.ndarray:
    """The labels as booleans; DataError where they are not 0 and 1 with both present."""
    values = np.unique(label_B)
    if not np.isin(values, (0, 1)).all():
        bad = next(value for value in values if value not in (0, 1))
        raise DataError(f"labels must be 0 or 1, but {bad} occurs; check the contract's label.")
    if len(values) < 2:
        raise DataError(
            f"all {len(label_B)} labels are {values.tolist()}, but AUC needs clicks and "
            "non-clicks; give the split more rows or check the contract's label."
        )
    return np.asarray(label_B) == 1


def pairs(click_B: np.ndarray) -> int:
    """How many (click, non-click) pairs there are: the denominator of equation 4."""
    click_rows = int(click_B.sum())
    return click_rows * (len(click_B) - click_rows)


def wins(click_B: np.ndarray, score_B: np.ndarray) -> np.ndarray:
    """For each row, how many rows of the other class it is ordered rightly against.

    A click wins against the non-clicks below it, a non-click against the clicks above it; a tie is
    half a win. Divided by the size of the other class these are DeLong's structural components.

    One sort, O(B log B). Half counts are exact in float64 below 2⁵² rows.
    """
    assert click_B.shape == score_B.shape, (click_B.shape, score_B.shape)
    if np.isnan(score_B).any():
        row = int(np.isnan(score_B).argmax())
        raise DataError(f"the score of row {row} is NaN, but AUC needs an order; retrain the peer.")
    order_B = np.argsort(score_B)
    sorted_B = score_B[order_B]
    starts_T = np.flatnonzero(np.r_[True, sorted_B[1:] != sorted_B[:-1]])  # T groups of ties
    rows_T = np.diff(np.r_[starts_T, len(sorted_B)])
    clicks_T = np.add.reduceat(click_B[order_B], starts_T, dtype=np.int64)
    others_T = rows_T - clicks_T
    click_wins_T = np.cumsum(others_T) - others_T / 2
    other_wins_T = clicks_T.sum() - np.cumsum(clicks_T) + clicks_T / 2
    won_B = np.empty(len(sorted_B))
    won_B[order_B] = np.where(
        click_B[order_B], np.repeat(click_wins_T, rows_T), np.repeat(other_wins_T, rows_T)
    )
    return won_B
