"""Setting rows aside: quarantine.parquet holds each bad row with the rules it breaks.

Its columns are those of the events, then `broken_rules`: one {column, rule} for every critical
rule about single rows that the row breaks, in the order of the contract.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from mutualctr.data.contract import BROKEN_COLUMN, ROW_COLUMN, Contract
from mutualctr.data.event_sql import select_events, view_of
from mutualctr.data.rules import Rule, sql_text
from mutualctr.data.verdict import ValidationReport
from mutualctr.files import replacing

if TYPE_CHECKING:
    from mutualctr.data.engine import Engine

QUARANTINE_FILE = "quarantine.parquet"


def validate_and_set_aside(
    events: Path,
    contract: Contract,
    limit_percent: float,
    malformed: int,
    quarantine: Path,
    engine: "Engine",
) -> ValidationReport:
    """Validate; where a critical rule about single rows fails, write its rows to `quarantine`.

    `malformed` lines, which ingest set aside, count against the same limit. No file is written
    where no row breaks such a rule.
    """
    report = engine.validate(events, contract, None)
    limits = {"malformed": malformed, "limit_percent": limit_percent}
    if not any(result.judges_rows for result in report.failed("critical")):
        return report.model_copy(update=limits)
    assert row_rules(contract)
    count = engine.set_aside(events, contract, quarantine)
    about_table = [rule for rule in contract.expectations if not rule.judges_rows]
    remaining = contract.model_copy(update={"expectations": tuple(about_table)})
    after = iter(engine.validate(events, remaining, quarantine).results)
    results = tuple(result if result.judges_rows else next(after) for result in report.results)
    return report.model_copy(update={**limits, "set_aside": count, "results": results})


def set_aside(events: Path, contract: Contract, target: Path) -> int:
    """Write the rows that break a critical rule about single rows; returns how many.

    `events` is their folder, or one of its files.
    """
    broken = ", ".join(_broken(rule) for rule in row_rules(contract))
    query = (
        f'SELECT *, list_filter([{broken}], rule -> rule IS NOT NULL) AS "{BROKEN_COLUMN}" '
        "FROM events WHERE "
        + " OR ".join(f"({rule.broken_by()})" for rule in row_rules(contract))
        + f' ORDER BY "{ROW_COLUMN}"'
    )
    return _copy(query, events, target)


def join_parts(parts: Path, target: Path) -> int:
    """Write the rows of all files of a folder as one; returns how many."""
    return _copy(f'SELECT * FROM events ORDER BY "{ROW_COLUMN}"', parts, target)


def _copy(query: str, events: Path, target: Path) -> int:
    with replacing(target) as temporary, view_of(select_events(events)) as connection:
        quoted_path = str(temporary).replace("'", "''")
        connection.execute(f"COPY ({query}) TO '{quoted_path}' (FORMAT parquet)")
    return pq.read_metadata(target).num_rows


def row_rules(contract: Contract) -> list[Rule]:
    """The contract's critical rules about single rows."""
    return [r for r in contract.expectations if r.severity == "critical" and r.judges_rows]


def _broken(rule: Rule) -> str:
    named = f"{{'column': {sql_text(rule.column)}, 'rule': {sql_text(rule.words())}}}"
    return f"CASE WHEN {rule.broken_by()} THEN {named} END"
