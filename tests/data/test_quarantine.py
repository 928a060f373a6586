"""Setting rows aside: which rows, with which rules, up to which limit, and that none is lost."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import write_events

from mutualctr.config import DataConfig, SplitConfig
from mutualctr.data import rules
from mutualctr.data.blocks import write_blocks
from mutualctr.data.coded import read_coded
from mutualctr.data.contract import Contract
from mutualctr.data.engine import ThisMachine
from mutualctr.data.features import fit, raw_columns
from mutualctr.data.prepare import split_events, validate_events
from mutualctr.data.quarantine import validate_and_set_aside
from mutualctr.data.split import PARTS, SET_ASIDE, read_parts
from mutualctr.errors import DataError
from mutualctr.reference import Events


def one_of(values, severity="critical"):
    return rules.OneOf(rule="one_of", column="click", values=values, severity=severity)


CLICK = one_of([0, 1])
BOTH = rules.AllPresent(rule="all_present", column="click", values=[0, 1], severity="critical")
SITE = rules.Pattern(rule="pattern", column="site", pattern="[a-z:']+", severity="critical")
HOUR = rules.CalendarHour(rule="calendar_hour", column="hour", severity="critical")
SHORT = rules.Pattern(rule="pattern", column="site", pattern=".{1,3}", severity="warning")


def contract_of(*expectations):
    return Contract(
        name="small",
        description="three columns",
        format={"delimiter": "comma", "header": True, "missing": ""},
        time="row",
        columns=[
            {"name": "click", "type": "integer", "role": "label"},
            {"name": "hour", "type": "integer", "role": "time"},
            {"name": "site", "type": "text", "role": "category"},
        ],
        expectations=expectations,
        common_features=[
            {"name": "site", "column": "site", "transform": "category"},
            {"name": "weekday", "column": "hour", "transform": "weekday"},
        ],
        alternatives={},
    )


def events_of(folder, click, site, hour=None):
    rows = len(click)
    table = pa.table(
        {
            "row": pa.array(range(1, rows + 1), pa.int64()),
            "click": pa.array(click, pa.int64()),
            "hour": pa.array(hour or [14102100] * rows, pa.int64()),
            "site": pa.array(site, pa.string()),
        }
    )
    files = write_events(folder / "events", table)
    return Events.of(files.parent, source="clicks.csv", source_sha256="", rows=rows)


def test_each_bad_row_has_the_rules_it_breaks(tmp_path):
    events = events_of(tmp_path, [0, 2, 1, 3, None], ["a", "B", "it's", "x", "longer"])
    contract = contract_of(CLICK, SITE, SHORT, BOTH)
    path = tmp_path / "q.parquet"
    report = validate_and_set_aside(events.files, contract, 50, 0, path, ThisMachine())
    assert pq.read_table(path).to_pylist() == [
        {
            "row": 2, "click": 2, "hour": 14102100, "site": "B",
            "broken_rules": [
                {"column": "click", "rule": "must be one of 0, 1"},
                {"column": "site", "rule": "must match [a-z:']+"},
            ],
        },
        {
            "row": 4, "click": 3, "hour": 14102100, "site": "x",
            "broken_rules": [{"column": "click", "rule": "must be one of 0, 1"}],
        },
    ]  # fmt: skip
    assert report.set_aside == 2
    assert report.verdict == "accepted with rows set aside"
    report.raise_on_critical("clicks.csv")


def test_rules_about_the_table_are_judged_by_the_rows_that_stay(tmp_path):
    events = events_of(tmp_path, [0, 0, 1, 0], ["a", "b", "C", "d"])  # the only click is a bad row
    report = validate_and_set_aside(
        events.files, contract_of(CLICK, BOTH, SITE), 50, 0, tmp_path / "q.parquet", ThisMachine()
    )
    assert report.verdict == "rejected"
    with pytest.raises(DataError, match="column click must contain each of 0, 1 but 1 never occur"):
        report.raise_on_critical("clicks.csv")


def test_the_limit_counts_lines_that_could_not_be_read_too(tmp_path):
    events = events_of(tmp_path, [0, 1, 2, 0], ["a"] * 4)
    for malformed, limit, over in ((0, 25, False), (0, 24.9, True), (1, 40, False), (1, 39, True)):
        report = validate_and_set_aside(
            events.files,
            contract_of(CLICK),
            limit,
            malformed,
            tmp_path / "q.parquet",
            ThisMachine(),
        )
        assert report.over_limit is over, (malformed, limit)
    with pytest.raises(DataError) as caught:
        report.raise_on_critical("clicks.csv")
    assert str(caught.value) == (
        "clicks.csv: 2 of 5 rows (40 %) would be set aside, 1 that cannot be read and 1 that break "
        "a critical rule, and data.quarantine_percent allows 39 %; mend the file or raise the "
        "limit."
    )


def test_sound_events_leave_no_file(tmp_path):
    events = events_of(tmp_path, [0, 1], ["a", "b"])
    report = validate_and_set_aside(
        events.files, contract_of(CLICK, SITE), 1, 0, tmp_path / "q.parquet", ThisMachine()
    )
    assert report.verdict == "accepted"
    assert not (tmp_path / "q.parquet").exists()


ROW = st.tuples(
    st.sampled_from([0, 1, 0, 1, 0, 1, 2, None]),
    st.sampled_from(["a", "b", "c", "A", None, "a\n"]),
    st.sampled_from([14102100, 14102123, 14109900]),
)


@settings(max_examples=10, deadline=None)
@given(rows=st.lists(ROW, min_size=40, max_size=60))
def test_no_bad_row_reaches_a_part_and_no_row_is_lost(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("aside")
    click, site, hour = zip(*rows, strict=True)
    events = events_of(folder, click, site, hour)
    missing = rules.NotMissing(rule="not_missing", column="click", severity="critical")
    contract = contract_of(CLICK, SITE, HOUR, missing)
    bad = [
        n for n, (c, s, h) in enumerate(rows, start=1)
        if c not in (0, 1) or (s is not None and s not in "abc") or h == 14109900
    ]  # fmt: skip
    data = DataConfig(contract="small", source="clicks.csv", quarantine_percent=100)
    out = folder / "out"
    out.mkdir()
    validation = validate_events(events, contract, data, out, folder / "rejected")
    assert validation.set_aside_rows().tolist() == bad
    if len(rows) - len(bad) < 10:
        return
    parts = split_events(
        events, validation, contract, SplitConfig(by="random", seed=len(bad)), "local", folder
    )
    assert parts.train_rows + parts.dev_rows + parts.test_rows + len(bad) == events.rows
    part_R = read_parts(folder)
    assert (np.flatnonzero(part_R == SET_ASIDE) + 1).tolist() == bad
    types = {column.name: column.type for column in contract.columns}
    chosen = contract.features(None)
    coded = read_coded(events.files, part_R, raw_columns(chosen, ()))
    feature_map = fit(coded, chosen, (), types, 1)
    write_blocks(events.files, coded, part_R, feature_map, contract, folder / "blocks")
    read = np.concatenate([np.load(folder / "blocks" / part / "row.npy") for part in PARTS])
    assert sorted(read) == sorted(set(range(1, len(rows) + 1)) - set(bad))


def test_a_rejected_file_leaves_its_report_behind(tmp_path):
    events = events_of(tmp_path, [0, 1, 2], ["a", "b", "c"])
    data = DataConfig(contract="small", source="clicks.csv")
    (tmp_path / "out").mkdir()
    rejected = tmp_path / "rejected"
    with pytest.raises(DataError, match=r"row 3 has 2 .* see .*rejected/validation\.html"):
        validate_events(events, contract_of(CLICK), data, tmp_path / "out", rejected)
    assert "Rejected: failed 1 critical" in (rejected / "validation.html").read_text()
