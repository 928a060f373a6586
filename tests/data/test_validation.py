"""Validation: rules by hand, Great Expectations on DuckDB against pandas, the report."""

import json
import os
import re
import subprocess
import sys

import great_expectations as gx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from written import write_events

from mutualctr.data import duckdb_dialect, rules
from mutualctr.data.contract import Contract
from mutualctr.data.contract_file import CONTRACTS, load_contract
from mutualctr.data.suite import suite_json, suite_of
from mutualctr.data.validation import validate
from mutualctr.data.validation_html import render_html
from mutualctr.errors import DataError

CONTRACT = {
    "name": "small",
    "description": "three columns",
    "format": {"delimiter": "comma", "header": True, "missing": ""},
    "time": "row",
    "columns": [
        {"name": "click", "type": "integer", "role": "label"},
        {"name": "hour", "type": "integer", "role": "time"},
        {"name": "site", "type": "text", "role": "category"},
    ],
    "common_features": [{"name": "site", "column": "site", "transform": "category"}],
    "alternatives": {},
}
ALL_RULES = [
    rules.RowCount(rule="row_count", at_least=3, severity="critical"),
    rules.NotMissing(rule="not_missing", column="click", severity="critical"),
    rules.OneOf(rule="one_of", column="click", values=[0, 1], severity="critical"),
    rules.AllPresent(rule="all_present", column="click", values=[0, 1], severity="critical"),
    rules.CalendarHour(rule="calendar_hour", column="hour", severity="critical"),
    rules.Between(rule="between", column="hour", min=14102100, severity="warning"),
    rules.Between(rule="between", column="hour", max=14102123, severity="warning"),
    rules.Between(rule="between", column="hour", min=14102100, max=14102123, severity="info"),
    rules.Pattern(
        rule="pattern", column="site", pattern="(?:it's|[0-9a-f]{2})", severity="warning"
    ),
    rules.MissingShare(rule="missing_share", column="site", at_most=0.1, severity="warning"),
    rules.Mean(rule="mean", column="click", min=0.25, max=1, severity="info"),
]


def contract_of(expectations):
    return Contract(**CONTRACT, expectations=expectations)


def events_of(folder, click, hour, site):
    table = pa.table(
        {
            "row": pa.array(range(1, len(click) + 1), pa.int64()),
            "click": pa.array(click, pa.int64()),
            "hour": pa.array(hour, pa.int64()),
            "site": pa.array(site, pa.string()),
        }
    )
    return write_events(folder, table)


def test_every_kind_of_rule_is_covered():
    assert {rule.rule for rule in ALL_RULES} == set(rules.RULES)


def test_sound_events_are_accepted(tmp_path):
    events = events_of(tmp_path, [0, 1, 0], [14102100, 14102123, 14102112], ["0a", "it's", "ff"])
    report = validate(events, contract_of(ALL_RULES))
    assert report.verdict == "accepted"
    assert report.rows == 3
    assert [result.unexpected_count for result in report.results] == [0] * len(ALL_RULES)
    report.raise_on_critical("clicks.csv")


def test_defects_by_hand(tmp_path):
    events = events_of(
        tmp_path,
        click=[0, 2, None, 0, 0, 0, 0, 7],
        hour=[14102100, 14102124, 14023000, 1410210, None, 14102123, 15010100, 14102099],
        site=["0a", "0A", "0ab", None, None, "x0a", "it's", "00"],
    )
    report = validate(events, contract_of(ALL_RULES))
    found = {
        (result.rule, result.words): (result.success, result.unexpected_count,
                                      [offender.row for offender in result.offenders])
        for result in report.results
    }  # fmt: skip
    assert found == {
        ("row_count", "must have at least 3 rows"): (True, 0, []),
        ("not_missing", "must not be missing"): (False, 1, [3]),
        ("one_of", "must be one of 0, 1"): (False, 2, [2, 8]),
        ("all_present", "must contain each of 0, 1"): (False, 0, []),
        # 24 o'clock, 30 February, seven digits, 99 o'clock
        ("calendar_hour", "must be an hour of the calendar written YYMMDDHH"):
            (False, 4, [2, 3, 4, 8]),
        ("between", "must be at least 14102100"): (False, 3, [3, 4, 8]),
        ("between", "must be at most 14102123"): (False, 2, [2, 7]),
        ("between", "must lie between 14102100 and 14102123"): (False, 5, [2, 3, 4, 7, 8]),
        ("pattern", "must match (?:it's|[0-9a-f]{2})"): (False, 3, [2, 3, 6]),
        ("missing_share", "may be missing in at most 10 % of the rows"): (False, 2, [4, 5]),
        ("mean", "must have a mean between 0.25 and 1"): (False, 0, []),
    }  # fmt: skip
    assert report.verdict == "rejected"
    assert len(report.failed("critical")) == 4
    assert [offender.value for offender in report.results[2].offenders] == [2, 7]
    assert report.results[3].observed == "1 never occurs"
    assert report.results[9].observed == "missing in 25 % of the rows"
    assert report.results[10].observed == "its mean is 1.28571"  # (2 + 7) / 7


def test_only_the_first_offenders_are_shown_in_the_order_of_the_source(tmp_path):
    click = np.where(np.arange(5000) % 3 == 0, 5, 1)
    events = events_of(tmp_path, click, [14102100] * 5000, ["00"] * 5000)
    report = validate(events, contract_of([ALL_RULES[2]]))
    assert report.results[0].unexpected_count == 1667
    assert [offender.row for offender in report.results[0].offenders] == [1, 4, 7, 10, 13]


def test_a_rule_that_every_row_breaks_needs_no_room_for_every_row(tmp_path):
    rows = duckdb_dialect.BUFFERED_ROWS + 7
    events = events_of(tmp_path, [0] * rows, [14102100] * rows, ["zz"] * rows)
    report = validate(events, contract_of([ALL_RULES[8]]))
    assert report.results[0].unexpected_count == rows


def test_the_share_of_missing_values_may_reach_its_bound(tmp_path):
    for missing, holds in ((1, True), (2, False)):
        events = events_of(
            tmp_path, [0] * 10, [14102100] * 10, [None] * missing + ["00"] * (10 - missing)
        )
        assert validate(events, contract_of([ALL_RULES[9]])).results[0].success is holds


def test_a_pattern_is_counted_once_and_other_rules_together(tmp_path, monkeypatch):
    asked = []
    execute = duckdb_dialect.BufferedDialect.do_execute

    def counted(dialect, cursor, statement, parameters, context=None):
        if "LIMIT" not in statement or parameters[-1] != 0:  # nothing is read for no row
            asked.append(statement)
        return execute(dialect, cursor, statement, parameters, context)

    monkeypatch.setattr(duckdb_dialect.BufferedDialect, "do_execute", counted)
    events = events_of(tmp_path, [0, 1, 1], [14102100] * 3, ["00"] * 3)
    assert validate(events, contract_of(ALL_RULES)).verdict == "accepted"
    passes = [statement for statement in asked if "read_parquet" in statement]
    assert sum("site" in statement for statement in passes) == 2  # the pattern, and the others


def test_no_rows_break_the_row_count_alone(tmp_path):
    report = validate(events_of(tmp_path, [], [], []), contract_of(ALL_RULES[:3]))
    assert [result.success for result in report.results] == [False, True, True]
    with pytest.raises(
        DataError, match=r"a\.csv: the table must have at least 3 rows but it has 0"
    ):
        report.raise_on_critical("a.csv")


def test_the_critical_sentence(tmp_path):
    events = events_of(tmp_path, [0, 1, 2, None], [14102100] * 4, ["00"] * 4)
    with pytest.raises(DataError) as caught:
        validate(events, contract_of([ALL_RULES[2]])).raise_on_critical("clicks.csv")
    assert str(caught.value) == (
        "clicks.csv: column click must be one of 0, 1 but row 3 has 2 "
        "(1 of 4 rows break this rule); correct the row or remove it, then run again."
    )
    with pytest.raises(DataError, match=r"row 4 has no value .*; 1 more critical expectation f"):
        validate(events, contract_of(ALL_RULES[1:3])).raise_on_critical("clicks.csv")
    three = rules.AllPresent(
        rule="all_present", column="click", values=[0, 1, 3], severity="critical"
    )
    report = validate(events, contract_of([three]))
    with pytest.raises(DataError, match="must contain each of 0, 1, 3 but 3 never occurs; give a"):
        report.raise_on_critical("clicks.csv")


def test_a_path_may_hold_any_character(tmp_path):
    folder = tmp_path / "it's :a colon {brace}"
    folder.mkdir()
    events = events_of(folder, [0, 1, 1], [14102100] * 3, ["00"] * 3)
    assert validate(events, contract_of(ALL_RULES)).verdict == "accepted"


def on_pandas(rule, frame):
    """(success, unexpected count) of one rule by Great Expectations' own pandas engine."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    expectation = suite_of(contract_of([rule]), "plain").expectations[0]
    outcome = batch.validate(expectation, result_format="SUMMARY")
    assert outcome.result
    return outcome.success, outcome.result.get("unexpected_count", 0)


HOURS = st.sampled_from([14102100, 14102123, 14102124, 14022900, 16022900, 1410210, 99123123, -1])
ROWS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 0, 1, 0, 1, 2, -1, None]),
        st.none() | HOURS,
        st.sampled_from(["0a", "ff", "it's", "0A", "0ab", "0a\n", "", "ä", None]),
    ),
    min_size=2,
    max_size=30,
)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(rows=ROWS)
def test_duckdb_and_pandas_agree(rows, tmp_path_factory):
    events = events_of(tmp_path_factory.mktemp("differential"), *zip(*rows, strict=True))
    report = validate(events, contract_of(ALL_RULES))
    frame = pq.read_table(events).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    for rule, result in zip(ALL_RULES, report.results, strict=True):
        if isinstance(rule, rules.Pattern):  # Python's $ also matches before a last line feed
            frame["site"] = frame["site"].str.replace("\n", "?")
        assert (result.success, result.unexpected_count) == on_pandas(rule, frame.copy()), rule


@pytest.mark.parametrize("name", sorted(path.stem for path in CONTRACTS.glob("*.yaml")))
def test_the_suite_is_great_expectations_own_json(name):
    contract = load_contract(name)
    assert len(suite_of(contract, "duckdb").expectations) == len(contract.expectations)
    described = json.loads(suite_json(contract))
    read_back = gx.ExpectationSuite(**described)
    assert len(read_back.expectations) == len(contract.expectations)
    assert [e.severity for e in read_back.expectations] == [
        rule.severity for rule in contract.expectations
    ]


def test_the_page_shows_failures_first_escaped_and_alone(tmp_path):
    events = events_of(tmp_path, [0, 1, 2], [14102100] * 3, ["<b>&", "00", "00"])
    page = render_html(validate(events, contract_of(ALL_RULES)))
    assert "Rejected: failed 1 critical, 1 warning." in page
    assert page.index("must be one of 0, 1") < page.index("must match") < page.index("<h2>Held")
    assert "row 1: <code>&lt;b&gt;&amp;</code>" in page
    assert "<b>" not in page
    assert not re.search(r"https?:|src=|<script|@import|url\(", page)
    held = render_html(validate(events, contract_of(ALL_RULES[:2])))
    assert "Accepted: everything held." in held
    assert "<h2>Failed" not in held


def test_a_result_outlives_its_connection_and_is_never_cut_short_in_silence():
    duckdb_dialect.register()
    engine = sqlalchemy.create_engine(duckdb_dialect.URL)
    limit = duckdb_dialect.BUFFERED_ROWS
    with engine.begin() as connection:
        whole = connection.exec_driver_sql(f"SELECT * FROM range({limit})")
        longer = connection.exec_driver_sql(f"SELECT * FROM range({limit + 1})")
    assert len(whole.fetchall()) == limit
    assert longer.fetchmany(3) == [(0,), (1,), (2,)]
    with pytest.raises(sqlalchemy.exc.InvalidRequestError, match="more rows"):
        longer.fetchall()
    engine.dispose()


def test_validation_prints_nothing_and_sends_nothing(tmp_path):
    events = events_of(tmp_path, [0, 1, 5], [14102100] * 3, ["00"] * 3)
    code = (
        "import sys, pathlib; from mutualctr.data.contract_file import load_contract;"
        "from mutualctr.data.validation import validate; import os;"
        "assert os.environ['GX_ANALYTICS_ENABLED'] == 'false';"
        f"validate(pathlib.Path({str(events)!r}), load_contract({str(small_yaml(tmp_path))!r}));"
        "sys.stdout.flush(); os._exit(0)"  # the engine's own farewell at exit is not ours
    )
    environment = {k: v for k, v in os.environ.items() if k != "GX_ANALYTICS_ENABLED"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert (done.stdout, done.stderr) == ("", "")


def small_yaml(folder):
    described = {key: value for key, value in CONTRACT.items() if key != "alternatives"}
    described["expectations"] = [rule.model_dump(exclude_none=True) for rule in ALL_RULES]
    path = folder / "small.yaml"
    path.write_text(json.dumps(described), encoding="utf-8")
    return path
