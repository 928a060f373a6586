"""A contract as a Great Expectations suite, for the engine that is going to run it.

Every rule has a stock expectation. Only on DuckDB do expressions and calendar hours go through
`UnexpectedRowsExpectation`: Great Expectations knows no regular expression for DuckDB, and a
filter lets DuckDB look at each entry of a Parquet dictionary once instead of at each row. On Spark
an expression is written so that Java reads it as RE2 does (`java_pattern.py`).
"""
# ruff: noqa: E402

import json
import logging
import os
from collections.abc import Callable
from functools import singledispatch
from typing import Any, Literal

# Both before the import: it reads the one and logs a page at INFO.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
logging.getLogger("great_expectations").setLevel(logging.ERROR)

import great_expectations as gx
import great_expectations.expectations as gxe

from mutualctr.data import rules
from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.java_pattern import java_pattern

Engine = Literal["duckdb", "spark", "plain"]
"""`plain`: stock expectations alone, which pandas and warehouses run."""


def suite_of(contract: Contract, engine: Engine) -> gx.ExpectationSuite:
    """The contract's suite; `meta` numbers the contract's expectations and says each in words."""
    expectations = []
    for number, rule in enumerate(contract.expectations):
        expectation = _SPECIAL[engine].get(type(rule), _compile)(rule)
        expectation.severity = rule.severity
        expectation.meta = {"number": number, "words": rule.words()}
        expectations.append(expectation)
    return gx.ExpectationSuite(name=contract.name, expectations=expectations)


def suite_json(contract: Contract) -> str:
    """The plain suite in Great Expectations' own JSON, for whoever runs it elsewhere."""
    return json.dumps(suite_of(contract, "plain").to_json_dict(), indent=2)


class RowsBreaking(gxe.UnexpectedRowsExpectation):
    """Counts the rows of the query; the stock one goes over them once more to keep some."""

    metric_dependencies = ("unexpected_rows_query.row_count",)

    def _validate(
        self, metrics: dict[str, Any], *_: object, **__: object
    ) -> dict[str, bool | dict[str, int]]:
        rows = metrics["unexpected_rows_query.row_count"]
        return {"success": rows == 0, "result": {"observed_value": rows}}


def whole(pattern: str) -> str:
    """An expression that finds texts which match `pattern` from end to end.

    Where `$` also stops before a last line feed (Python's own engine, Java), such a text passes.
    """
    return f"^(?:{pattern})$"


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


@_compile.register
def _(rule: rules.Mean) -> gxe.Expectation:
    return gxe.ExpectColumnMeanToBeBetween(
        column=rule.column, min_value=rule.min, max_value=rule.max
    )


@_compile.register
def _(rule: rules.Pattern) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToMatchRegex(column=rule.column, regex=whole(rule.pattern))


@_compile.register
def _(rule: rules.CalendarHour) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToMatchRegex(column=rule.column, regex=whole(rules.CALENDAR_HOUR))


def _no_row(rule: rules.Pattern | rules.CalendarHour) -> gxe.Expectation:
    predicate = rule.broken_by().replace("{", "{{").replace("}", "}}")
    query = f'SELECT "{ROW_COLUMN}", {rule.quoted} FROM {{batch}} WHERE {predicate}'
    return RowsBreaking(unexpected_rows_query=query)


def _in_java(rule: rules.Pattern | rules.CalendarHour) -> gxe.Expectation:
    pattern = rule.pattern if isinstance(rule, rules.Pattern) else rules.CALENDAR_HOUR
    return gxe.ExpectColumnValuesToMatchRegex(column=rule.column, regex=java_pattern(pattern))


_SPECIAL: dict[Engine, dict[type[rules.Rule], Callable[..., gxe.Expectation]]] = {
    "duckdb": {rules.Pattern: _no_row, rules.CalendarHour: _no_row},
    "spark": {rules.Pattern: _in_java, rules.CalendarHour: _in_java},
    "plain": {},
}
