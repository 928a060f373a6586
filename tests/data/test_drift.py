"""Drift: formulas by hand, exact counts against plain Python, bounds and their severity."""

import itertools
import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import write_events

from mutualctr.data import snapshot as snapshots
from mutualctr.data.contract import Contract
from mutualctr.data.drift import (
    check_comparable,
    compare,
    difference_interval,
    jensen_shannon,
    judge,
    psi,
    wilson,
)
from mutualctr.data.event_sql import select_events
from mutualctr.data.snapshot import load_snapshot, take_snapshot
from mutualctr.data.validation_html import render_html
from mutualctr.data.verdict import ValidationReport
from mutualctr.errors import DataError

CONTRACT = Contract(
    name="small",
    description="a number and a category",
    format={"delimiter": "comma", "header": True, "missing": ""},
    time="row",
    columns=[
        {"name": "click", "type": "integer", "role": "label"},
        {"name": "price", "type": "integer", "role": "number"},
        {"name": "site", "type": "text", "role": "category"},
        {"name": "note", "type": "text", "role": "ignored"},
    ],
    expectations=[],
    common_features=[],
    alternatives={},
    drift={
        "psi": {"warning": 0.1, "critical": 0.25},
        "unseen_share": {"info": 0.05},
        "click_rate": {"warning": 0.1},
    },
)


def snapshot_of(folder, click, price, site, reference=None):
    table = pa.table(
        {
            "row": pa.array(range(1, len(click) + 1), pa.int64()),
            "click": pa.array(click, pa.int64()),
            "price": pa.array(price, pa.int64()),
            "site": pa.array(site, pa.string()),
            "note": pa.array(["n"] * len(click)),
        }
    )
    return take_snapshot(select_events(write_events(folder, table)), CONTRACT, reference)


def test_psi_by_hand():
    # shares (1.5, 3.5) / 5 → (3.5, 1.5) / 5 once half a row is added to each bin
    expected = 0.4 * math.log(0.7 / 0.3) - 0.4 * math.log(0.3 / 0.7)
    assert psi(np.array([1, 3]), np.array([3, 1])) == pytest.approx(expected, rel=1e-12)
    assert psi(np.array([7, 0]), np.array([7, 0])) == 0
    assert math.isfinite(psi(np.array([0, 9]), np.array([9, 0])))


def test_jensen_shannon_by_hand():
    assert jensen_shannon(np.array([5, 0]), np.array([0, 9])) == 1  # nothing in common: one bit
    assert jensen_shannon(np.array([2, 2]), np.array([3, 3])) == 0
    # p = (1/2, 1/2), q = (1, 0), m = (3/4, 1/4)
    expected = (0.5 * math.log2(2 / 3) + 0.5 * math.log2(2)) / 2 + math.log2(4 / 3) / 2
    assert jensen_shannon(np.array([1, 1]), np.array([4, 0])) == pytest.approx(expected, rel=1e-12)


def test_the_interval_of_a_difference_is_newcombes():
    # Newcombe 1998, table II, contrast (a), method 10: 56/70 less 48/80 is 0.2 (0.0524, 0.3339)
    low, high = difference_interval((48, 56), (80, 70))
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    assert wilson(0, 10)[0] == pytest.approx(0)  # an interval that stays within 0 … 1
    assert difference_interval((3, 3), (9, 9))[0] == -difference_interval((3, 3), (9, 9))[1]


def test_a_snapshot_by_hand(tmp_path):
    taken = snapshot_of(
        tmp_path,
        click=[1, 0, 0, 1, 0],
        price=[3, None, 1, 2, 2],
        site=["b", "a", None, "b", "c"],
    )
    assert (taken.rows, taken.clicks) == (5, 2)
    number = taken.numbers["price"]
    assert number.edges == (1, 2, 3)
    assert number.counts == (1, 2, 1, 0)  # none above the largest
    assert number.missing == 1
    category = taken.categories["site"]
    assert dict(zip(category.values, category.counts, strict=True)) == {"b": 2, "a": 1, "c": 1}
    assert category.values == ("b", "a", "c")  # by count, then by text
    assert (category.others, category.missing) == (0, 1)
    assert set(taken.numbers) | set(taken.categories) == {"price", "site"}


def test_what_a_snapshot_keeps_and_what_is_unseen(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "KEPT_VALUES", 2)
    site = ["a"] * 4 + ["b"] * 3 + ["c", "d"] + [None]
    before = snapshot_of(tmp_path / "1", [0] * 10, [1] * 10, site)
    assert before.categories["site"].values == ("a", "b")
    assert before.categories["site"].others_share == 2 / 9
    now = snapshot_of(tmp_path / "2", [0] * 4, [1] * 4, ["a", "x", "y", "y"], before)
    assert now.categories["site"].counts == (1, 0)
    (field,) = (f for f in compare(before, now).columns if f.column == "site")
    assert field.unseen_share == 3 / 4 - 2 / 9
    assert (field.missing_reference, field.missing_now) == (0.1, 0)


VALUES = st.none() | st.sampled_from(["a", "b", "it's", "", "ä", "z"])
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.none() | st.integers(-3, 30), VALUES), min_size=1, max_size=60
)


@settings(max_examples=15, deadline=None)
@given(before=ROWS, now=ROWS)
def test_counts_are_those_of_plain_python(before, now, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drift")
    reference = snapshot_of(folder / "1", *zip(*before, strict=True))
    counted = snapshot_of(folder / "2", *zip(*now, strict=True), reference)
    for snapshot, rows in ((reference, before), (counted, now)):
        _, price, site = zip(*rows, strict=True)
        number, category = snapshot.numbers["price"], snapshot.categories["site"]
        assert number.bins().sum() == category.bins().sum() == len(rows)
        borders = [-math.inf, *number.edges, math.inf]
        assert list(number.counts) == [
            sum(p is not None and low < p <= high for p in price)
            for low, high in itertools.pairwise(borders)
        ]
        expected = Counter(site)
        assert category.missing == expected.pop(None, 0)
        assert list(category.counts) == [expected.pop(value, 0) for value in category.values]
        assert category.others == expected.total()
    assert all(
        f.psi >= 0 and 0 <= f.jensen_shannon <= 1 for f in compare(reference, counted).columns
    )


def moved(tmp_path):
    before = snapshot_of(tmp_path / "1", [0, 1] * 500, [1, 2] * 500, ["a", "b"] * 500)
    now = snapshot_of(
        tmp_path / "2", [0] * 900 + [1] * 100, [1, 2] * 500, ["a"] * 800 + ["b", "c"] * 100, before
    )
    return before, now


def test_bounds_give_the_severity_of_the_strictest_that_is_broken(tmp_path):
    before, now = moved(tmp_path)
    results = {(r.column, r.rule): r for r in judge(compare(before, now), CONTRACT)}
    assert {key: (r.severity, r.success) for key, r in results.items()} == {
        ("click", "drift_click_rate"): ("warning", False),
        ("price", "drift_psi"): ("warning", True),
        ("site", "drift_psi"): ("critical", False),
        ("site", "drift_unseen_share"): ("info", False),
    }
    assert results["site", "drift_unseen_share"].observed == "it is 10 %"
    assert "50 % → 10 %" in results["click", "drift_click_rate"].observed
    report = ValidationReport(contract="small", rows=1000, results=tuple(results.values()))
    with pytest.raises(DataError, match=r"a\.csv: column site must have a PSI of at most 0\.25"):
        report.raise_on_critical("a.csv")


def test_few_clicks_prove_nothing(tmp_path):
    before = snapshot_of(tmp_path / "1", [0, 1] * 500, [1] * 1000, ["a"] * 1000)
    now = snapshot_of(tmp_path / "2", [0, 0, 0, 1], [1] * 4, ["a"] * 4, before)
    results = {r.rule: r for r in judge(compare(before, now), CONTRACT)}
    assert results["drift_click_rate"].success


def test_the_page_has_a_drift_section(tmp_path):
    before, now = moved(tmp_path)
    drift = compare(before, now)
    report = ValidationReport(
        contract="small", rows=1000, results=tuple(judge(drift, CONTRACT)), drift=drift
    )
    page = render_html(report)
    assert "<h2>Drift</h2>" in page
    assert page.index("<td>site</td><td><span") < page.index("<td>price</td><td><span")
    assert "Click rate 50 % → 10 %" in page


def test_a_snapshot_survives_its_file_and_others_are_refused(tmp_path):
    before, _ = moved(tmp_path)
    before.save(tmp_path)
    assert load_snapshot(tmp_path / "snapshot.json") == before
    (tmp_path / "other.json").write_text('{"rows": 3}')
    with pytest.raises(DataError, match=r"other\.json: this is no snapshot\.json"):
        load_snapshot(tmp_path / "other.json")
    with pytest.raises(DataError, match="no such snapshot"):
        load_snapshot(tmp_path / "absent.json")
    check_comparable(before, CONTRACT)
    with pytest.raises(DataError, match="not of small as it is now"):
        check_comparable(before.model_copy(update={"categories": {}}), CONTRACT)
