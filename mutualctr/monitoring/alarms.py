"""Which thresholds a day crosses, and where an alarm begins.

An alarm is an unbroken series of judged days on which one version crosses one threshold. It is
told once, when it begins; the next one begins after a day that kept the threshold.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from mutualctr.evaluation.wording import number
from mutualctr.monitoring.config import AlarmConfig
from mutualctr.monitoring.days import Day, Estimate
from mutualctr.registry.gate import Verdict


def verdicts_of(day: Day, alarms: AlarmConfig) -> Iterator[Verdict]:
    """One for each threshold that the day can be held against.

    Probabilities are there before labels are, so they are judged on days that wait, too.
    """
    if day.state == "judged":
        yield from _of_clicks(day, alarms)
        yield from _of_columns(day, alarms)
    limit = alarms.probability_psi_at_most
    enough = day.rows_scored >= alarms.rows_at_least
    if limit is not None and enough and day.probability_psi is not None:
        yield Verdict(
            rule="probability_psi",
            asks=f"PSI of the probabilities ≤ {limit:g}",
            found=number(day.probability_psi, 3),
            passed=day.probability_psi <= limit,
            numbers={"psi": day.probability_psi},
        )


def _of_clicks(day: Day, alarms: AlarmConfig) -> Iterator[Verdict]:
    bounds = alarms.pcoc
    if bounds is not None and day.pcoc is not None:
        asks = f"PCOC from {bounds.low:g} to {bounds.high:g}"
        yield _estimated("pcoc", asks, day.pcoc, bounds.low, bounds.high, 3)
    if alarms.auc_at_least is not None and day.auc is not None:
        asks = f"AUC ≥ {alarms.auc_at_least:g}"
        yield _estimated("auc", asks, day.auc, alarms.auc_at_least, None, 4)
    if alarms.logloss_at_most is not None and day.logloss is not None:
        asks = f"logloss ≤ {alarms.logloss_at_most:g}"
        yield _estimated("logloss", asks, day.logloss, None, alarms.logloss_at_most, 4)


def _estimated(
    rule: str, asks: str, found: Estimate, low: float | None, high: float | None, digits: int
) -> Verdict:
    """Fails where the whole interval lies beyond a bound; an end that is null is infinitely far."""
    below = low is not None and found.high is not None and found.high < low
    above = high is not None and found.low is not None and found.low > high
    return Verdict(
        rule=rule,
        asks=asks,
        found=in_words(found, digits),
        passed=not (below or above),
        numbers={key: value for key, value in found.model_dump().items() if value is not None},
    )


def in_words(found: Estimate, digits: int) -> str:
    """1.031 (0.982 … 1.084)."""
    value, low, high = (
        "∞" if end is None else number(end, digits) for end in (found.value, found.low, found.high)
    )
    return f"{value} ({low} … {high})"


def _of_columns(day: Day, alarms: AlarmConfig) -> Iterator[Verdict]:
    for rule, limit, words in (
        ("psi", alarms.psi_at_most, "PSI"),
        ("unseen_share", alarms.unseen_share_at_most, "share of unseen values"),
    ):
        values = {
            column.column: value
            for column in day.columns
            if (value := getattr(column, rule)) is not None
        }
        if limit is None or not values:
            continue
        worst = max(values, key=values.__getitem__)
        over = sum(value > limit for value in values.values())
        more = f" and {over - 1} more above" if over > 1 else ""
        yield Verdict(
            rule=rule,
            asks=f"{words} of any column ≤ {limit:g}",
            found=f"{worst} {number(values[worst], 3)}{more}",
            passed=not over,
            numbers={"worst": values[worst], "above": over},
        )


@dataclass(frozen=True)
class Crossing:
    """A version over a threshold on a day."""

    day: date
    model: str
    rule: str
    asks: str
    found: str

    @property
    def key(self) -> str:
        """What is kept of it once it was told."""
        return f"{self.day} {self.model} {self.rule}"

    @property
    def words(self) -> str:
        return f"{self.day} {self.model}: {self.rule} {self.found}, asked: {self.asks}"


def crossings(days: Iterable[Day]) -> list[Crossing]:
    """All of them, in the order of the days."""
    return [
        Crossing(day.day, day.model, verdict.rule, verdict.asks, verdict.found)
        for day in days
        if day.model is not None
        for verdict in day.crossed
    ]


def new_alarms(days: Sequence[Day], told: Collection[str]) -> list[Crossing]:
    """The crossings that begin an alarm. `told`: keys of what earlier monitorings saw."""
    return [
        found
        for found in crossings(days)
        if found.key not in told and not _crossed_before(days, found.day, found.model, found.rule)
    ]


def begins_for(model: str, days: Sequence[Day], told: Collection[str]) -> bool:
    """Whether `model` has an alarm after a day without any: a reason to train anew, once."""
    days_told = {key.rpartition(" ")[0] for key in told}
    return any(
        found.model == model
        and f"{found.day} {model}" not in days_told
        and not _crossed_before(days, found.day, model, None)
        for found in crossings(days)
    )


def _crossed_before(days: Sequence[Day], day: date, model: str, rule: str | None) -> bool:
    """Whether the version crossed `rule` (None: any) on the last day before that was judged."""
    for earlier in sorted(days, key=lambda entry: entry.day, reverse=True):
        if earlier.day >= day or earlier.model != model:
            continue
        if rule is None and earlier.state != "judged" and not earlier.crossed:
            continue  # its clicks may still show what its probabilities do not
        judged = [v for v in earlier.verdicts if rule in (None, v.rule)]
        if judged:
            return any(not verdict.passed for verdict in judged)
    return False
