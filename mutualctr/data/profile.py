"""What all rows of a file say of its columns; the ground for a drafted contract (`draft.py`)."""

from dataclasses import dataclass
from typing import Any

import duckdb

from mutualctr.data.rules import CALENDAR_HOUR, sql_text

MISSING_TEXTS = ("NA", "N/A", "NULL", "null", r"\N", "nan", "NaN", "None")
FEW_VALUES = 20
"""A column of at most so many values has them listed."""
ALPHABETS = ("[0-9]", "[0-9a-f]", "[0-9A-F]", "[A-Z]", "[a-z]", "[0-9A-Z]")


@dataclass(frozen=True)
class Profile:
    """What all rows of the file say of one column; values are those not missing."""

    name: str
    rows: int
    missing: int
    distinct: int
    """Approximate from about a hundred on."""
    integer: bool
    """Whole numbers of at most 18 digits, written without a sign or zero that text would lose."""
    decimal: bool
    mean: float | None
    smallest: int | None
    largest: int | None
    lengths: tuple[int, int]
    alphabet: str | None
    """The narrowest class of characters that all values are made of."""
    calendar_hour: bool
    values: tuple[Any, ...]
    """All of them, sorted, where they are few and a rule may list them."""

    @property
    def present(self) -> int:
        return self.rows - self.missing


def missing_text(connection: duckdb.DuckDBPyConnection, names: list[str]) -> str:
    """The text that stands for a missing value: the one that makes most columns whole numbers."""
    listed = ", ".join(sql_text(text) for text in MISSING_TEXTS)
    seen: set[str] = set()
    for name in names:
        value = _value(name, "")
        query = f"SELECT DISTINCT {value} FROM events WHERE {value} IN ({listed})"
        seen |= {text for (text,) in connection.execute(query).fetchall()}
    if not seen:
        return ""
    best, most = "", _integer_columns(connection, names, "")
    for text in sorted(seen):
        found = _integer_columns(connection, names, text)
        if found > most:
            best, most = text, found
    return best


def _integer_columns(connection: duckdb.DuckDBPyConnection, names: list[str], text: str) -> int:
    checks = ", ".join(
        f"bool_and({_is_integer(_value(name, text))}) IS NOT DISTINCT FROM true" for name in names
    )
    return sum(connection.execute(f"SELECT {checks} FROM events").fetchone())


def _value(name: str, missing: str) -> str:
    """The column as ingest will give it once `missing` is the missing text."""
    column = '"' + name.replace('"', '""') + '"'
    return f"nullif(coalesce({column}, ''), {sql_text(missing)})"


def _is_integer(value: str) -> str:
    number = f"TRY_CAST({value} AS BIGINT)"
    fits = f"abs({number}) < 1000000000000000000"
    return f"coalesce(CAST({number} AS VARCHAR) = {value} AND {fits}, {value} IS NULL)"


def profile(connection: duckdb.DuckDBPyConnection, name: str, missing: str) -> Profile:
    value = _value(name, missing)
    facts = {
        "rows": "count(*)",
        "missing": "count(*) - count(v)",
        "distinct": "approx_count_distinct(v)",
        "integer": f"bool_and({_is_integer('v')})",
        "mean": "avg(TRY_CAST(v AS BIGINT))",
        "smallest": "min(TRY_CAST(v AS BIGINT))",
        "largest": "max(TRY_CAST(v AS BIGINT))",
        "decimal": r"bool_and(TRY_CAST(v AS DOUBLE) IS NOT NULL OR v IS NULL)",
        "shortest": "min(length(v))",
        "longest": "max(length(v))",
    }
    selected = ", ".join(f"{sql} AS {fact}" for fact, sql in facts.items())
    source = f"(SELECT {value} AS v FROM events)"
    found = dict(
        zip(facts, connection.execute(f"SELECT {selected} FROM {source}").fetchone(), strict=True)
    )
    present = found["rows"] - found["missing"]
    integer = bool(found["integer"]) and present > 0
    values: list[Any] = []
    if found["distinct"] <= 2 * FEW_VALUES:  # it is approximate
        listed = f"SELECT DISTINCT v FROM {source} WHERE v IS NOT NULL LIMIT {FEW_VALUES + 1}"
        values = [value for (value,) in connection.execute(listed).fetchall()]
    if integer:
        values = [int(value) for value in values]
    return Profile(
        name=name,
        rows=found["rows"],
        missing=found["missing"],
        distinct=len(values) if 0 < len(values) <= FEW_VALUES else found["distinct"],
        integer=integer,
        decimal=bool(found["decimal"]) and not integer and present > 0,
        mean=found["mean"] if integer else None,
        smallest=found["smallest"] if integer else None,
        largest=found["largest"] if integer else None,
        lengths=(found["shortest"] or 0, found["longest"] or 0),
        alphabet=None if integer or not present else _alphabet(connection, source),
        calendar_hour=integer and _all(connection, source, CALENDAR_HOUR),
        values=tuple(sorted(values)) if len(values) <= FEW_VALUES else (),
    )


def _alphabet(connection: duckdb.DuckDBPyConnection, source: str) -> str | None:
    for alphabet in ALPHABETS:
        if _all(connection, source, f"{alphabet}+"):
            return alphabet
    return None


def _all(connection: duckdb.DuckDBPyConnection, source: str, pattern: str) -> bool:
    return not connection.execute(
        f"SELECT 1 FROM {source} WHERE NOT regexp_full_match(v, {sql_text(pattern)}) LIMIT 1"
    ).fetchall()
