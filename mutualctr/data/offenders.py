"""The rows to show of a rule that failed: found by the rule's own predicate."""

import duckdb

from mutualctr.data.contract import ROW_COLUMN
from mutualctr.data.rules import Rule
from mutualctr.data.verdict import Offender

OFFENDERS_SHOWN = 5


def offenders(rule: Rule, connection: duckdb.DuckDBPyConnection) -> tuple[Offender, ...]:
    """The first rows of the view `events` that break the rule; none where no single row can."""
    predicate = rule.broken_by()
    if predicate is None:
        return ()
    found = connection.execute(
        f'SELECT "{ROW_COLUMN}", {rule.quoted} FROM events WHERE {predicate} '
        f'ORDER BY "{ROW_COLUMN}" LIMIT {OFFENDERS_SHOWN}'
    )
    return tuple(Offender(row=row, value=value) for row, value in found.fetchall())
