"""How far the events have moved from a snapshot: per column and in the click rate.

With p_b and q_b the shares of bin b in the reference and now (`snapshot.py` says which bins):

    PSI  = Σ_b (q_b − p_b) · ln(q_b / p_b)       half a row is added to every bin of both
    JS   = ½ Σ_b p_b log₂(p_b / m_b) + ½ Σ_b q_b log₂(q_b / m_b),   m = (p + q) / 2,   0 … 1
    unseen = share of the present values that the snapshot does not hold, less the share that the
             snapshot itself left out (0 up to 10,000 distinct values)

The 95 % interval of the difference of two click rates is Newcombe's (Statistics in Medicine 17,
1998, method 10), made of the two Wilson intervals. The rule `click_rate` fails when even the end
of that interval that is nearer to zero lies beyond the bound: a few clicks prove nothing.
"""

from collections.abc import Iterator
from math import sqrt

import numpy as np

from mutualctr.data.contract import Contract
from mutualctr.data.snapshot import Snapshot, columns_of
from mutualctr.data.verdict import Drift, FieldDrift, Result
from mutualctr.errors import DataError

Z_95 = 1.959963984540054
SMOOTHING_ROWS = 0.5
MILDEST_FIRST = ("info", "warning", "critical")


def psi(reference_B: np.ndarray, now_B: np.ndarray) -> float:
    """Population stability index of two histograms of row counts, B bins."""
    p_B = (reference_B + SMOOTHING_ROWS) / (reference_B + SMOOTHING_ROWS).sum()
    q_B = (now_B + SMOOTHING_ROWS) / (now_B + SMOOTHING_ROWS).sum()
    return float(((q_B - p_B) * np.log(q_B / p_B)).sum())


def jensen_shannon(reference_B: np.ndarray, now_B: np.ndarray) -> float:
    """Jensen–Shannon divergence in bits of two histograms of row counts, B bins."""
    p_B, q_B = reference_B / reference_B.sum(), now_B / now_B.sum()
    mean_B = (p_B + q_B) / 2
    return (_bits(p_B, mean_B) + _bits(q_B, mean_B)) / 2


def _bits(share_B: np.ndarray, mean_B: np.ndarray) -> float:
    some = share_B > 0
    return float((share_B[some] * np.log2(share_B[some] / mean_B[some])).sum())


def wilson(clicks: int, rows: int) -> tuple[float, float]:
    """95 % interval of a share."""
    share, z2 = clicks / rows, Z_95**2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z_95 * sqrt(share * (1 - share) / rows + z2 / (4 * rows**2)) / (1 + z2 / rows)
    return centre - half, centre + half


def difference_interval(clicks: tuple[int, int], rows: tuple[int, int]) -> tuple[float, float]:
    """95 % interval of the second share less the first."""
    first, second = clicks[0] / rows[0], clicks[1] / rows[1]
    (low_1, high_1), (low_2, high_2) = wilson(clicks[0], rows[0]), wilson(clicks[1], rows[1])
    difference = second - first
    low = difference - sqrt((second - low_2) ** 2 + (high_1 - first) ** 2)
    high = difference + sqrt((high_2 - second) ** 2 + (first - low_1) ** 2)
    return low, high


def check_comparable(reference: Snapshot, contract: Contract) -> None:
    """DataError if the snapshot is not of this contract, of other columns, or of no row."""
    same = (
        reference.contract == contract.name
        and list(reference.numbers) == columns_of(contract, "number")
        and list(reference.categories) == columns_of(contract, "category")
    )
    if not same:
        raise DataError(
            f"The snapshot data.reference is of contract {reference.contract} with "
            f"{len(reference.numbers)} numbers and {len(reference.categories)} categories, not of "
            f"{contract.name} as it is now; point data.reference at a newer one or leave it null."
        )
    if not reference.rows:
        raise DataError("The snapshot data.reference is of no row; point it at another.")


def compare(reference: Snapshot, now: Snapshot) -> Drift:
    """The drift from `reference` to `now`, which was counted in the reference's bins."""
    low, high = difference_interval((reference.clicks, now.clicks), (reference.rows, now.rows))
    return Drift(
        reference_rows=reference.rows,
        rows=now.rows,
        click_rate_reference=reference.clicks / reference.rows,
        click_rate=now.clicks / now.rows,
        low=low,
        high=high,
        columns=tuple(_columns(reference, now)),
    )


def _columns(reference: Snapshot, now: Snapshot) -> Iterator[FieldDrift]:
    for name, before in (reference.numbers | reference.categories).items():
        after = (now.numbers | now.categories)[name]
        unseen = None
        if before.kind == "category":
            unseen = max(0.0, after.others_share - before.others_share)
        yield FieldDrift(
            column=name,
            psi=psi(before.bins(), after.bins()),
            jensen_shannon=jensen_shannon(before.bins(), after.bins()),
            unseen_share=unseen,
            missing_reference=before.missing / reference.rows,
            missing_now=after.missing / now.rows,
        )


def judge(drift: Drift, contract: Contract) -> list[Result]:
    """The contract's bounds on drift as results: one per bounded measure and column.

    It has the severity of the strictest bound that is broken, or of the mildest where none is.
    """
    bounds, results = contract.drift, []
    if bounds is None:
        return results
    nearest = max(drift.low, -drift.high, 0.0)
    click = f"{100 * drift.click_rate_reference:.4g} % → {100 * drift.click_rate:.4g} %"
    interval = f"difference {100 * drift.low:+.3g} to {100 * drift.high:+.3g} points"
    results += _judged(
        "click_rate", contract.label, bounds.click_rate, nearest, 100, " points",
        "must keep its click rate within {} of the reference's", f"it went {click} ({interval})",
    )  # fmt: skip
    for field in drift.columns:
        measures = (
            ("psi", field.psi, 1, "", "must have a PSI of at most {} to the reference"),
            ("jensen_shannon", field.jensen_shannon, 1, " bits",
             "must have a Jensen–Shannon divergence of at most {} to the reference"),
            ("unseen_share", field.unseen_share, 100, " %",
             "may have at most {} of values that the reference has not"),
        )  # fmt: skip
        for measure, value, scale, unit, words in measures:
            if value is not None:
                observed = f"it is {value * scale:.3g}{unit}"
                results += _judged(
                    measure, field.column, getattr(bounds, measure), value, scale, unit, words,
                    observed,
                )  # fmt: skip
    return results


def _judged(
    measure: str,
    column: str,
    bounds: dict[str, float] | None,
    value: float,
    scale: float,
    unit: str,
    words: str,
    observed: str,
) -> list[Result]:
    if not bounds:
        return []
    given = [severity for severity in MILDEST_FIRST if severity in bounds]
    broken = [severity for severity in given if value > bounds[severity]]
    severity = broken[-1] if broken else given[0]
    return [
        Result(
            column=column,
            rule=f"drift_{measure}",
            words=words.format(f"{bounds[severity] * scale:g}{unit}"),
            severity=severity,
            success=not broken,
            observed=observed,
            unexpected_count=0,
            offenders=(),
        )
    ]
