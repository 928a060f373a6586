"""The rules a contract may state about the table or about one column.

Each rule knows two things besides its fields: how to say itself in words, and which rows break
it as a DuckDB predicate (None where no single row can). How a rule becomes an expectation of
Great Expectations is `suite.py`'s business.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt, StrictStr, model_validator

from mutualctr.closed import Closed

Severity = Literal["critical", "warning", "info"]


class Rule(Closed):
    """What all rules share; a rule about the whole table has no column."""

    judges_rows: ClassVar[bool] = False
    """Whether a single row can break the rule, so that it can be set aside."""

    severity: Severity
    column: str | None = None

    def words(self) -> str:
        """The rule as the end of a sentence that begins with the column."""
        raise NotImplementedError

    def broken_by(self) -> str | None:
        """SQL that is true for exactly the rows that break the rule."""
        raise NotImplementedError


class ColumnRule(Rule):
    column: str

    @property
    def quoted(self) -> str:
        """The column as an SQL identifier."""
        return '"' + self.column.replace('"', '""') + '"'

    @property
    def as_text(self) -> str:
        return f"CAST({self.quoted} AS VARCHAR)"


class RowCount(Rule):
    """The table has at least so many rows."""

    rule: Literal["row_count"]
    at_least: int

    def words(self) -> str:
        return f"must have at least {self.at_least:,} row{'s' if self.at_least != 1 else ''}"

    def broken_by(self) -> None:
        return None


class NotMissing(ColumnRule):
    """No value is missing."""

    judges_rows: ClassVar[bool] = True

    rule: Literal["not_missing"]

    def words(self) -> str:
        return "must not be missing"

    def broken_by(self) -> str:
        return f"{self.quoted} IS NULL"


class OneOf(ColumnRule):
    """Every value present is one of these: whole numbers, or texts for a text column."""

    judges_rows: ClassVar[bool] = True

    rule: Literal["one_of"]
    values: Annotated[list[StrictInt] | list[StrictStr], Field(min_length=1)]

    def words(self) -> str:
        return f"must be one of {_listed(self.values)}"

    def broken_by(self) -> str:
        literals = [sql_text(v) if isinstance(v, str) else str(v) for v in self.values]
        return f"{self.quoted} NOT IN ({', '.join(literals)})"


class AllPresent(ColumnRule):
    """Each of these values occurs in some row."""

    rule: Literal["all_present"]
    values: Annotated[list[StrictInt], Field(min_length=1)]

    def words(self) -> str:
        return f"must contain each of {_listed(self.values)}"

    def broken_by(self) -> None:
        return None


class Between(ColumnRule):
    """Every value present lies within the bounds, both included; an absent one does not bind."""

    judges_rows: ClassVar[bool] = True

    rule: Literal["between"]
    min: int | None = None
    max: int | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> "Between":
        if self.min is None and self.max is None:
            raise ValueError("the rule between needs min, max or both.")
        return self

    def words(self) -> str:
        if self.max is None:
            return f"must be at least {self.min}"
        if self.min is None:
            return f"must be at most {self.max}"
        return f"must lie between {self.min} and {self.max}"

    def broken_by(self) -> str:
        below = [] if self.min is None else [f"{self.quoted} < {self.min}"]
        above = [] if self.max is None else [f"{self.quoted} > {self.max}"]
        return " OR ".join(below + above)


class Pattern(ColumnRule):
    """Every value present matches the whole regular expression (RE2 syntax)."""

    judges_rows: ClassVar[bool] = True

    rule: Literal["pattern"]
    pattern: str

    def words(self) -> str:
        return f"must match {self.pattern}"

    def broken_by(self) -> str:
        return f"NOT regexp_full_match({self.as_text}, {sql_text(self.pattern)})"


CALENDAR_HOUR = (
    "(?:[0-9]{2}(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[02468][048]|[13579][26])0229)(?:[01][0-9]|2[0-3])"
)
"""YYMMDDHH as an expression every engine knows; two digits of a year mean 1969 to 2068, in which
every fourth year is a leap year."""


class CalendarHour(ColumnRule):
    """Every value present reads YYMMDDHH and that hour is in the calendar."""

    judges_rows: ClassVar[bool] = True

    rule: Literal["calendar_hour"]

    def words(self) -> str:
        return "must be an hour of the calendar written YYMMDDHH"

    def broken_by(self) -> str:
        return f"NOT regexp_full_match({self.as_text}, {sql_text(CALENDAR_HOUR)})"


class MissingShare(ColumnRule):
    """The share of missing values is at most this."""

    rule: Literal["missing_share"]
    at_most: Annotated[float, Field(ge=0, le=1)]

    def words(self) -> str:
        return f"may be missing in at most {100 * self.at_most:.4g} % of the rows"

    def broken_by(self) -> str:
        return f"{self.quoted} IS NULL"


class Mean(ColumnRule):
    """The mean of the values present lies within the bounds; of the label it is the click rate."""

    rule: Literal["mean"]
    min: float
    max: float

    def words(self) -> str:
        return f"must have a mean between {self.min:g} and {self.max:g}"

    def broken_by(self) -> None:
        return None


RULES: dict[str, type[Rule]] = {
    "row_count": RowCount,
    "not_missing": NotMissing,
    "one_of": OneOf,
    "all_present": AllPresent,
    "between": Between,
    "pattern": Pattern,
    "calendar_hour": CalendarHour,
    "missing_share": MissingShare,
    "mean": Mean,
}

INTEGER_RULES = (AllPresent, Between, CalendarHour, Mean)
"""Rules that compare numbers and so need an integer column; `one_of` has the type of its values."""


def sql_text(text: str) -> str:
    """A text literal for DuckDB without a colon, which SQLAlchemy would take for a parameter."""
    quoted = text.replace("'", "''").replace(":", "' || chr(58) || '")
    return f"('{quoted}')"


def _listed(values: list[int] | list[str]) -> str:
    return ", ".join(str(value) for value in values)
