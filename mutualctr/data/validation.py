"""Validation: the contract's expectations, run by Great Expectations inside DuckDB on all rows.

A contract compiles to a plain Great Expectations suite. Regular expressions and calendar hours go
through `UnexpectedRowsExpectation`, because Great Expectations knows no regular expression for
DuckDB. For what failed, the first offending rows are looked up with the rule's own predicate.
"""
# ruff: noqa: E402

import json
import logging
import os
from functools import singledispatch
from pathlib import Path
from typing import Any

# Both before the import: it reads the one and logs a page at INFO.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
logging.getLogger("great_expectations").setLevel(logging.ERROR)

import duckdb
import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig

from mutualctr.closed import Closed
from mutualctr.data import duckdb_dialect, rules
from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.errors import DataError

OFFENDERS_SHOWN = 5

duckdb_dialect.register()


class Offender(Closed):
    """One row that breaks a rule: its number in the source and the value there."""

    row: int
    value: int | str | None


class Result(Closed):
    """What became of one expectation."""

    column: str | None
    rule: str
    words: str
    """The rule as the end of a sentence that begins with the column."""
    severity: rules.Severity
    success: bool
    observed: str
    unexpected_count: int
    """Rows that break the rule; 0 for a rule that no single row can break."""
    offenders: tuple[Offender, ...]
    """The first of them, in the order of the source; only where the rule failed."""

    @property
    def subject(self) -> str:
        return "the table" if self.column is None else f"column {self.column}"


class ValidationReport(Closed):
    """What the contract says of the events."""

    contract: str
    rows: int
    results: tuple[Result, ...]

    def failed(self, severity: rules.Severity) -> list[Result]:
        """Failed expectations of this severity."""
        return [r for r in self.results if not r.success and r.severity == severity]

    @property
    def verdict(self) -> str:
        """`rejected` on a critical failure, `accepted with warnings` on a warning, `accepted`."""
        if self.failed("critical"):
            return "rejected"
        return "accepted with warnings" if self.failed("warning") else "accepted"

    def raise_on_critical(self, source: str) -> None:
        """Raise DataError about the first critical failure, if there is one."""
        failed = self.failed("critical")
        if not failed:
            return
        first, more = failed[0], len(failed) - 1
        others = f"; {more} more critical expectation{'s' * (more > 1)} failed" if more else ""
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


def validate(events: Path, contract: Contract) -> ValidationReport:
    """Run every expectation of the contract over all rows of the events."""
    outcome = {r.expectation_config.meta["number"]: r for r in _run(events, contract)}
    assert sorted(outcome) == list(range(len(contract.expectations)))
    with duckdb.connect() as connection:
        connection.read_parquet(_glob(events)).create_view("events")
        rows = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        results = tuple(
            _result(rule, outcome[number], connection)
            for number, rule in enumerate(contract.expectations)
        )
    return ValidationReport(contract=contract.name, rows=rows, results=results)


def suite_of(contract: Contract) -> gx.ExpectationSuite:
    """The contract as a Great Expectations suite; `meta` numbers the contract's expectations."""
    expectations = []
    for number, rule in enumerate(contract.expectations):
        expectation = _compile(rule)
        expectation.severity = rule.severity
        expectation.meta = {"number": number, "words": rule.words()}
        expectations.append(expectation)
    return gx.ExpectationSuite(name=contract.name, expectations=expectations)


def suite_json(contract: Contract) -> str:
    """The suite in Great Expectations' own JSON, for whoever runs it elsewhere."""
    return json.dumps(suite_of(contract).to_json_dict(), indent=2)


@singledispatch
def _compile(rule: rules.Rule) -> gxe.Expectation:
    raise AssertionError(f"no Great Expectations counterpart for {type(rule).__name__}")


@_compile.register
def _(rule: rules.RowCount) -> gxe.Expectation:
    return gxe.ExpectTableRowCountToBeBetween(min_value=rule.at_least)


@_compile.register
def _(rule: rules.NotMissing) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToNotBeNull(column=rule.column)


@_compile.register
def _(rule: rules.MissingShare) -> gxe.Expectation:
    mostly = round(1 - rule.at_most, 12)  # 1 - 0.1 is not 0.9
    return gxe.ExpectColumnValuesToNotBeNull(column=rule.column, mostly=mostly)


@_compile.register
def _(rule: rules.OneOf) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeInSet(column=rule.column, value_set=rule.values)


@_compile.register
def _(rule: rules.AllPresent) -> gxe.Expectation:
    return gxe.ExpectColumnDistinctValuesToContainSet(column=rule.column, value_set=rule.values)


@_compile.register
def _(rule: rules.Between) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column=rule.column, min_value=rule.min, max_value=rule.max
    )


@_compile.register(rules.Pattern)
@_compile.register(rules.CalendarHour)
def _(rule: rules.ColumnRule) -> gxe.Expectation:
    predicate = rule.broken_by().replace("{", "{{").replace("}", "}}")
    query = f'SELECT "{ROW_COLUMN}", {rule.quoted} FROM {{batch}} WHERE {predicate}'
    return gxe.UnexpectedRowsExpectation(unexpected_rows_query=query)


def _glob(events: Path) -> str:
    return str(events / "*.parquet")


def _run(events: Path, contract: Contract) -> list[ExpectationValidationResult]:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_sql(
        "duckdb", connection_string=duckdb_dialect.URL, create_temp_table=False
    )
    path = rules.sql_text(_glob(events))
    asset = source.add_query_asset("events", f"SELECT * FROM read_parquet({path})")
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    results = batch.validate(suite_of(contract), result_format="SUMMARY").results
    for result in results:
        assert result.result, f"Great Expectations could not run {result.expectation_config}"
    return results


def _result(
    rule: rules.Rule, outcome: ExpectationValidationResult, connection: duckdb.DuckDBPyConnection
) -> Result:
    found = outcome.result
    if isinstance(rule, rules.Pattern | rules.CalendarHour):
        unexpected = found["observed_value"]
    else:
        unexpected = found.get("unexpected_count") or 0  # None where there is no row
    return Result(
        column=rule.column,
        rule=rule.rule,
        words=rule.words(),
        severity=rule.severity,
        success=outcome.success,
        observed=_observed(rule, found, unexpected),
        unexpected_count=unexpected,
        offenders=() if outcome.success else _offenders(rule, connection),
    )


def _observed(rule: rules.Rule, found: dict[str, Any], unexpected: int) -> str:
    if isinstance(rule, rules.RowCount):
        return f"it has {found['observed_value']:,}"
    if isinstance(rule, rules.AllPresent):
        absent = ", ".join(str(value) for value in found["partial_missing_list"])
        return f"{absent} never occurs" if absent else "all occur"
    if isinstance(rule, rules.NotMissing | rules.MissingShare):
        return f"missing in {found['unexpected_percent'] or 0:.4g} % of the rows"
    return f"{unexpected:,} unexpected"


def _offenders(rule: rules.Rule, connection: duckdb.DuckDBPyConnection) -> tuple[Offender, ...]:
    predicate = rule.broken_by()
    if predicate is None:
        return ()
    found = connection.execute(
        f'SELECT "{ROW_COLUMN}", {rule.quoted} FROM events WHERE {predicate} '
        f'ORDER BY "{ROW_COLUMN}" LIMIT {OFFENDERS_SHOWN}'
    )
    return tuple(Offender(row=row, value=value) for row, value in found.fetchall())
