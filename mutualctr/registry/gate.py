"""The rules a challenger must keep before it serves, and what each one found.

All rules are run, also after one failed, so that a report shows everything at once. Intervals
and differences are taken on the same rows, in the same order.
"""

from dataclasses import dataclass

import numpy as np

from mutualctr.closed import Closed
from mutualctr.config import PromotionConfig
from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.calibration import logloss, pcoc
from mutualctr.evaluation.drift import psi
from mutualctr.evaluation.significance import Interval, paired_delong
from mutualctr.evaluation.wording import number, signed
from mutualctr.registry.fresh import Answer


class Verdict(Closed):
    """What one rule asked, what it found, whether that is enough."""

    rule: str
    asks: str
    found: str
    passed: bool
    numbers: dict[str, float]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The challenger on the test rows, and the champion on the same ones.

    Shapes: label_B 0 or 1; challenger_B, champion_B probabilities of all rows; smoke_S what the
    registered artifact gave to the first S of them, in a process of its own.
    """

    label_B: np.ndarray
    challenger_B: np.ndarray
    champion_B: np.ndarray | None
    smoke: Answer


def absolute(evidence: Evidence, config: PromotionConfig) -> list[Verdict]:
    """What a model must be, whether there is a champion or not."""
    label_B, probability_B = evidence.label_B, evidence.challenger_B
    engine_S = probability_B[: len(evidence.smoke.probability_B)]
    apart = float(np.abs(engine_S - evidence.smoke.probability_B).max())
    value, ratio, smoke = auc(label_B, probability_B), pcoc(label_B, probability_B), evidence.smoke
    return [
        Verdict(
            rule="smoke",
            asks=f"the loaded artifact is within {config.smoke.tolerance:g} of the engine",
            found=f"at most {apart:.1e} apart on {len(engine_S)} raw rows, "
            f"loaded in {smoke.load_s:.1f} s",
            passed=apart <= config.smoke.tolerance,
            numbers={"apart": apart, "rows": len(engine_S), "load_s": smoke.load_s},
        ),
        Verdict(
            rule="auc",
            asks=f"AUC ≥ {number(config.auc_at_least, 5)}",
            found=number(value, 5),
            passed=value >= config.auc_at_least,
            numbers={"auc": value},
        ),
        Verdict(
            rule="pcoc",
            asks=f"PCOC from {config.pcoc.low:g} to {config.pcoc.high:g}",
            found=number(ratio, 4),
            passed=config.pcoc.low <= ratio <= config.pcoc.high,
            numbers={"pcoc": ratio},
        ),
        Verdict(
            rule="latency",
            asks=f"p50 ≤ {config.latency.p50_ms_at_most:g} ms, "
            f"p99 ≤ {config.latency.p99_ms_at_most:g} ms for {config.latency.rows} raw rows",
            found=f"p50 {smoke.p50_ms:.2f} ms, p99 {smoke.p99_ms:.2f} ms",
            passed=smoke.p50_ms <= config.latency.p50_ms_at_most
            and smoke.p99_ms <= config.latency.p99_ms_at_most,
            numbers={"p50_ms": smoke.p50_ms, "p99_ms": smoke.p99_ms},
        ),
    ]


def relative(evidence: Evidence, config: PromotionConfig) -> list[Verdict]:
    """What a challenger must be against the champion on the same rows."""
    label_B, challenger_B = evidence.label_B, evidence.challenger_B
    champion_B = evidence.champion_B
    assert champion_B is not None
    assert champion_B.shape == challenger_B.shape
    gain = paired_delong(label_B, challenger_B, champion_B, config.level)
    rise = logloss(label_B, challenger_B) - logloss(label_B, champion_B)
    drift = psi(champion_B, challenger_B)
    return [
        enough_rows(len(label_B), int(label_B.sum()), gain, config.auc_gain_at_least),
        Verdict(
            rule="auc_gain",
            asks=f"the {100 * config.level:g} % interval of the gain in AUC lies above "
            f"{signed(config.auc_gain_at_least, 5)}",
            found=f"{signed(gain.delta, 5)} ({signed(gain.low, 5)} … {signed(gain.high, 5)})",
            passed=gain.low >= config.auc_gain_at_least,
            numbers={
                "champion_auc": auc(label_B, champion_B),
                "delta": gain.delta,
                "low": gain.low,
                "high": gain.high,
                "level": config.level,
            },
        ),
        Verdict(
            rule="logloss",
            asks=f"logloss rises by at most {number(config.logloss_rise_at_most, 5)}",
            found=signed(rise, 5),
            passed=rise <= config.logloss_rise_at_most,
            numbers={"rise": rise},
        ),
        Verdict(
            rule="score_drift",
            asks=f"PSI of the probabilities ≤ {config.psi_at_most:g}",
            found=number(drift, 4),
            passed=drift <= config.psi_at_most,
            numbers={"psi": drift, "champion_pcoc": pcoc(label_B, champion_B)},
        ),
    ]


def enough_rows(rows: int, clicks: int, gain: Interval, at_least: float) -> Verdict:
    """Whether the interval of the gain decides anything.

    Where it reaches across the bound, and would do so around a gain of zero too (half of it is
    wider than what a challenger may lose), the rows say nothing: an equal challenger would fail. A
    gain that is clear all the same, or a loss, is judged on as few rows as there are. The interval
    narrows with the root of the rows, hence rows · (half / bound)² for what is needed. A bound that
    asks for more than equality has no such number.
    """
    half = (gain.high - gain.low) / 2
    undecided = gain.low < at_least <= gain.high and half > -at_least > 0
    found = f"{rows:,} rows, {clicks:,} clicks: ± {number(half, 5)}"
    if undecided:
        needed = round(rows * (half / at_least) ** 2, -2)
        found += f"; about {needed:,.0f} rows are needed: read more days, or test on more of them"
    return Verdict(
        rule="rows",
        asks="test rows enough to tell an equal challenger from one that is "
        f"{number(abs(at_least), 5)} worse"
        if at_least < 0
        else "test rows of both kinds",
        found=found,
        passed=not undecided,
        numbers={"rows": rows, "clicks": clicks, "half": half},
    )


def not_rolled_back(when: str | None) -> Verdict:
    """What a person took out of service comes back by a person alone."""
    return Verdict(
        rule="not_rolled_back",
        asks="nobody rolled this very version back",
        found=f"rolled back {when}" if when else "never rolled back",
        passed=when is None,
        numbers={},
    )


def incomparable(why: str) -> Verdict:
    """A champion that cannot be compared is replaced by a person alone."""
    return Verdict(
        rule="comparable",
        asks="the champion can score the same rows",
        found=why,
        passed=False,
        numbers={},
    )
