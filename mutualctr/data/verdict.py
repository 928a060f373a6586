"""What a validation found, as records that need no engine."""

from mutualctr.closed import Closed
from mutualctr.data.rules import RULES, Severity
from mutualctr.errors import DataError


class Offender(Closed):
    """One row that breaks a rule: its number in the source and the value there."""

    row: int
    value: int | float | str | None


class Result(Closed):
    """What became of one expectation, or of one measure of drift."""

    column: str | None
    rule: str
    words: str
    """The rule as the end of a sentence that begins with the column."""
    severity: Severity
    success: bool
    observed: str
    unexpected_count: int
    """Rows that break the rule; 0 for a rule that no single row can break."""
    offenders: tuple[Offender, ...]
    """The first of them, in the order of the source; only where the rule failed."""

    @property
    def subject(self) -> str:
        return "the table" if self.column is None else f"column {self.column}"

    @property
    def judges_rows(self) -> bool:
        """Whether the rows that break the rule can be set aside."""
        return self.rule in RULES and RULES[self.rule].judges_rows


class FieldDrift(Closed):
    """How one column's distribution moved (`drift.py` has the formulas)."""

    column: str
    psi: float
    jensen_shannon: float
    unseen_share: float | None
    """None for a number."""
    missing_reference: float
    missing_now: float


class Drift(Closed):
    """The events against the snapshot of an earlier run."""

    reference_rows: int
    rows: int
    click_rate_reference: float
    click_rate: float
    low: float
    """Of the 95 % interval of click_rate − click_rate_reference."""
    high: float
    columns: tuple[FieldDrift, ...]


class ValidationReport(Closed):
    """What the contract says of the events."""

    contract: str
    rows: int
    """Of the events, the ones set aside included."""
    malformed: int = 0
    """Lines that ingest could not read and set aside."""
    set_aside: int = 0
    """Rows set aside because they break a critical rule about single rows."""
    limit_percent: float | None = None
    """How many of all lines may be set aside; null: none."""
    results: tuple[Result, ...]
    """Rules about single rows: over all rows. Rules about the table: over the rows that stay."""
    drift: Drift | None = None

    def failed(self, severity: Severity) -> list[Result]:
        """Failed expectations of this severity."""
        return [r for r in self.results if not r.success and r.severity == severity]

    @property
    def stopping(self) -> list[Result]:
        """Critical failures that setting rows aside does not answer."""
        return [r for r in self.failed("critical") if not (self.set_aside and r.judges_rows)]

    @property
    def over_limit(self) -> bool:
        """Whether more was set aside than may be."""
        if self.limit_percent is None:
            return False
        lines = self.rows + self.malformed
        return 100 * (self.set_aside + self.malformed) > self.limit_percent * lines

    @property
    def verdict(self) -> str:
        """One of rejected, accepted with rows set aside, accepted with warnings, accepted."""
        if self.stopping or self.over_limit:
            return "rejected"
        if self.set_aside or self.malformed:
            return "accepted with rows set aside"
        return "accepted with warnings" if self.failed("warning") else "accepted"

    def raise_on_critical(self, source: str) -> None:
        """Raise DataError where too much was set aside, or about the first critical failure."""
        if self.over_limit:
            lines = self.rows + self.malformed
            bad = self.set_aside + self.malformed
            raise DataError(
                f"{source}: {bad:,} of {lines:,} rows ({100 * bad / lines:.3g} %) would be set "
                f"aside, {self.malformed:,} that cannot be read and {self.set_aside:,} that break "
                f"a critical rule, and data.quarantine_percent allows {self.limit_percent:g} %; "
                "mend the file or raise the limit."
            )
        if not self.stopping:
            return
        first, more = self.stopping[0], len(self.stopping) - 1
        others = f"; {more} more critical expectation{'s' * (more > 1)} failed" if more else ""
        if first.rule.startswith("drift_"):
            raise DataError(
                f"{source}: {first.subject} {first.words} but {first.observed}{others}; find out "
                "what changed, or point data.reference at a newer snapshot."
            )
        if not first.offenders:
            raise DataError(
                f"{source}: {first.subject} {first.words} but {first.observed}{others}; "
                "give a file that does, then run again."
            )
        offender = first.offenders[0]
        value = "no value" if offender.value is None else offender.value
        raise DataError(
            f"{source}: {first.subject} {first.words} but row {offender.row} has {value} "
            f"({first.unexpected_count:,} of {self.rows:,} rows break this rule{others}); "
            "correct the row or remove it, then run again."
        )
