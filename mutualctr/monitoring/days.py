"""What a monitoring found, as records: a day, its measures, the thresholds it was held against."""

from datetime import date
from typing import Literal

from mutualctr.closed import Closed
from mutualctr.data.verdict import FieldDrift
from mutualctr.monitoring.config import AlarmConfig
from mutualctr.registry.gate import Verdict

State = Literal["judged", "waiting", "partly labelled", "too few rows", "not scored"]


class Estimate(Closed):
    """A measure with its 95 % interval; null where it does not exist, such as 1 / 0 clicks."""

    value: float | None
    low: float | None
    high: float | None


class Day(Closed):
    """One day as one version scored it."""

    day: date
    model: str | None
    """Null for a day of which there are labels and no scores."""
    state: State
    rows_scored: int
    rows_matched: int
    """Scored rows whose label is here; measures are of these."""
    labelled_only: int
    """Rows with a label that nobody scored."""
    clicks: int
    predicted_rate: float | None
    """Mean probability of the matched rows, of all scored ones where no label is here."""
    observed_rate: Estimate | None
    pcoc: Estimate | None
    logloss: Estimate | None
    auc: Estimate | None
    probability_psi: float | None
    """Of all scored rows, against the version's test rows; null for versions that keep no bins."""
    columns: tuple[FieldDrift, ...]
    """Of the day's events with labels, against those that the version was trained on."""
    verdicts: tuple[Verdict, ...]
    """Of the thresholds that this day could be held against."""

    @property
    def crossed(self) -> list[Verdict]:
        """The thresholds that it crossed."""
        return [verdict for verdict in self.verdicts if not verdict.passed]

    @property
    def worst_column(self) -> FieldDrift | None:
        """The one with the largest PSI."""
        return max(self.columns, key=lambda column: column.psi, default=None)


class Monitored(Closed):
    """The content of monitor.json."""

    model: str
    champion: str | None
    """The version that served when this was measured, such as ctr/3."""
    contract: str
    source: str
    days: tuple[Day, ...]
    cautions: tuple[str, ...]
    """What was left out, and why."""
    alarms: AlarmConfig
