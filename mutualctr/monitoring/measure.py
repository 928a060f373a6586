"""The measures of a day, each with what its rows can prove.

observed rate   clicks / rows, Wilson's interval
PCOC            mean probability / observed rate; the interval divides by the ends of the rate's
logloss         mean of the rows' losses ± 1.96 · standard deviation / √rows
AUC             exact, DeLong's interval
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mutualctr.data.contract import Contract
from mutualctr.data.drift import Z_95, compare, wilson
from mutualctr.data.event_sql import select_files
from mutualctr.data.snapshot import Snapshot, take_snapshot
from mutualctr.data.verdict import FieldDrift
from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.calibration import logloss, row_losses
from mutualctr.evaluation.drift import ScoreBins
from mutualctr.evaluation.significance import auc_se
from mutualctr.monitoring.alarms import verdicts_of
from mutualctr.monitoring.config import AlarmConfig
from mutualctr.monitoring.days import Day, Estimate, State
from mutualctr.monitoring.join import Joined


def measure_day(
    joined: Joined,
    reference: Snapshot | None,
    bins: ScoreBins | None,
    contract: Contract,
    aside: Path | None,
    alarms: AlarmConfig,
) -> Day:
    """Everything that is known of the day, and which thresholds it keeps."""
    label_M, probability_M = joined.label_M, joined.probability_M
    matched, clicks = len(label_M), int(label_M.sum())
    shown_B = probability_M if matched else joined.probability_B
    rate = _rate(clicks, matched) if matched else None
    predicted = float(shown_B.mean()) if len(shown_B) else None
    day = Day(
        day=joined.day,
        model=joined.model,
        state=_state(joined, alarms),
        rows_scored=len(joined.probability_B),
        rows_matched=matched,
        labelled_only=joined.labelled_only,
        clicks=clicks,
        predicted_rate=predicted,
        observed_rate=rate,
        pcoc=_pcoc(predicted, rate) if rate else None,
        logloss=_logloss(label_M, probability_M) if matched else None,
        auc=_auc(label_M, probability_M, clicks) if matched else None,
        probability_psi=bins.psi(joined.probability_B)
        if bins is not None and len(joined.probability_B)
        else None,
        columns=_columns(joined.labelled, reference, contract, aside),
        verdicts=(),
    )
    return day.model_copy(update={"verdicts": tuple(verdicts_of(day, alarms))})


def _state(joined: Joined, alarms: AlarmConfig) -> State:
    scored, matched = len(joined.probability_B), len(joined.label_M)
    if joined.model is None:
        return "not scored"
    if not matched and not joined.labelled_only:
        return "waiting"
    if matched < alarms.labelled_share_at_least * scored:
        return "partly labelled"
    return "judged" if matched >= alarms.rows_at_least else "too few rows"


def _rate(clicks: int, rows: int) -> Estimate:
    low, high = wilson(clicks, rows)
    low = low if clicks else 0.0  # rounding leaves 1e−18
    return Estimate(value=clicks / rows, low=low, high=min(high, 1.0))


def _pcoc(predicted: float, rate: Estimate) -> Estimate:
    def over(observed: float) -> float | None:
        return predicted / observed if observed > 0 else None

    return Estimate(value=over(rate.value), low=over(rate.high), high=over(rate.low))


def _logloss(label_M: np.ndarray, probability_M: np.ndarray) -> Estimate:
    value, rows = logloss(label_M, probability_M), len(label_M)
    if rows < 2:
        return Estimate(value=value, low=None, high=None)
    loss_M = row_losses(label_M, probability_M)
    half = Z_95 * float(loss_M.std(ddof=1)) / rows**0.5
    return Estimate(value=value, low=value - half, high=value + half)


def _auc(label_M: np.ndarray, probability_M: np.ndarray, clicks: int) -> Estimate | None:
    fewer = min(clicks, len(label_M) - clicks)
    if not fewer:
        return None
    value = auc(label_M, probability_M)
    if fewer < 2:
        return Estimate(value=value, low=None, high=None)
    half = Z_95 * auc_se(label_M, probability_M)
    return Estimate(value=value, low=max(value - half, 0.0), high=min(value + half, 1.0))


def _columns(
    labelled: Sequence[Path], reference: Snapshot | None, contract: Contract, aside: Path | None
) -> tuple[FieldDrift, ...]:
    if reference is None or not labelled:
        return ()
    now = take_snapshot(select_files(labelled, aside), contract, reference)
    return compare(reference, now).columns if now.rows else ()
