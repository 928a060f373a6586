"""Validation: the contract's expectations, run by Great Expectations inside DuckDB on all rows.

For what failed, the first offending rows are looked up with the rule's own predicate. Rows that
break a critical rule about single rows may be set aside (`quarantine.py`) instead of stopping the
run; rules about the table are then judged by the rows that stay.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mutualctr.data.suite import suite_of  # isort: skip  (it silences Great Expectations first)

import great_expectations as gx
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig

from mutualctr.data import duckdb_dialect, rules
from mutualctr.data.contract import Contract
from mutualctr.data.event_sql import select_events, view_of
from mutualctr.data.offenders import offenders
from mutualctr.data.verdict import Offender, Result, ValidationReport

duckdb_dialect.register()


def validate(events: Path, contract: Contract, without: Path | None = None) -> ValidationReport:
    """Run every expectation of the contract over all rows, or all but those set aside."""
    selected = select_events(events, without)
    outcomes = _run(selected, contract)
    with view_of(selected) as connection:
        rows = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        return report_of(
            contract, rows, outcomes, lambda rules: [offenders(r, connection) for r in rules]
        )


def report_of(
    contract: Contract,
    rows: int,
    outcomes: list[ExpectationValidationResult],
    find_offenders: Callable[[list[rules.Rule]], list[tuple[Offender, ...]]],
) -> ValidationReport:
    """What Great Expectations found over so many rows, in the order of the contract.

    `find_offenders` gives the first offending rows of each rule that failed.
    """
    outcome = {result.expectation_config.meta["number"]: result for result in outcomes}
    assert sorted(outcome) == list(range(len(contract.expectations)))
    numbered = list(enumerate(contract.expectations))
    failed = {number: rule for number, rule in numbered if not outcome[number].success}
    found = dict(zip(failed, find_offenders(list(failed.values())), strict=True))
    results = tuple(
        _result(rule, outcome[number], found.get(number, ())) for number, rule in numbered
    )
    return ValidationReport(contract=contract.name, rows=rows, results=results)


def _run(selected: str, contract: Contract) -> list[ExpectationValidationResult]:
    source = quiet_context().data_sources.add_sql(
        "duckdb", connection_string=duckdb_dialect.URL, create_temp_table=False
    )
    asset = source.add_query_asset("events", selected)
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    return judged(batch.validate(suite_of(contract, "duckdb"), result_format="SUMMARY"))


def quiet_context() -> EphemeralDataContext:
    """Great Expectations without files and without bars."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def judged(validated: ExpectationSuiteValidationResult) -> list[ExpectationValidationResult]:
    """The single results; each expectation must have been run."""
    for result in validated.results:
        assert result.result, f"Great Expectations could not run {result.expectation_config}"
    return validated.results


def _result(
    rule: rules.Rule, outcome: ExpectationValidationResult, found_first: tuple[Offender, ...]
) -> Result:
    found = outcome.result
    if outcome.expectation_config.type == "unexpected_rows_expectation":
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
        offenders=found_first,
    )


def _observed(rule: rules.Rule, found: dict[str, Any], unexpected: int) -> str:
    if isinstance(rule, rules.RowCount):
        return f"it has {found['observed_value']:,}"
    if isinstance(rule, rules.AllPresent):
        absent = ", ".join(str(value) for value in found["partial_missing_list"])
        return f"{absent} never occurs" if absent else "all occur"
    if isinstance(rule, rules.NotMissing | rules.MissingShare):
        return f"missing in {found['unexpected_percent'] or 0:.4g} % of the rows"
    if isinstance(rule, rules.Mean):
        mean = found["observed_value"]
        return "it has no value" if mean is None else f"its mean is {mean:.6g}"
    return f"{unexpected:,} unexpected"
