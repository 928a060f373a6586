"""What a raw value means, by hand."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.data.tokens import TRANSFORMS, hours_of, log, log_squared, quantile, quantile_edges


def test_log_squared_by_hand():
    # ln(3)² = 1.207 → 1; ln(100)² = 21.2 → 21; ln(23255)² = 101.09 → 101; up to 2: the number
    values = pa.array([-3, 0, 2, 3, 100, 23255, None])
    assert log_squared(values).to_pylist() == ["-3", "0", "2", "1", "21", "101", None]


def test_hours_by_hand():
    # 14102118: 21 October 2014, a Tuesday, 18 h; 25 October 2014 was a Saturday
    values = pa.array([14102118, 14102503, None])
    assert TRANSFORMS["hour_of_day"](values).to_pylist() == ["18", "03", None]
    assert TRANSFORMS["weekday"](values).to_pylist() == ["1", "5", None]
    assert TRANSFORMS["weekend"](values).to_pylist() == ["0", "1", None]


def test_every_transform_takes_an_empty_column():
    for name, transform in TRANSFORMS.items():
        tokens = transform(pa.array([], pa.int64()))
        assert len(tokens) == 0, name
        assert tokens.type == pa.string(), name
    assert len(TRANSFORMS) == 6


def test_log_by_hand():
    values = pa.array([0, 1, 2, 3, 4, 7, 8, -1, -5, 2**53 - 1, 2**53, 10**18 - 1, None])
    expected = ["0", "1", "2", "2", "3", "3", "4", "-1", "-3", "53", "54", "60", None]
    assert log(values).to_pylist() == expected


def test_quantile_by_hand():
    # values 1 … 4 with 1, 1, 6, 2 rows: half of ten rows is reached at 3; thirds at 3 (4th row), 3
    values, count_V = pa.array([3, 1, 4, 2]), np.array([6, 1, 2, 1])
    assert quantile_edges(values, count_V, 2) == (3,)
    assert quantile_edges(values, count_V, 3) == (3,)
    assert quantile_edges(values, count_V, 10) == (1, 2, 3, 4)
    assert quantile(pa.array([-9, 1, 2, 3, 4, 99, None]), (1, 3)).to_pylist() == [
        "0", "0", "1", "1", "2", "2", None,
    ]  # fmt: skip
    assert quantile_edges(pa.array([], pa.int64()), np.array([], np.int64), 4) == ()
    assert quantile(pa.array([7, None]), ()).to_pylist() == ["0", None]


@given(rows=st.lists(st.integers(-99, 99), min_size=1), buckets=st.integers(2, 12))
def test_quantile_edges_are_the_ranked_rows(rows, buckets):
    values, count_V = np.unique(rows, return_counts=True)
    ranked = sorted(rows)
    edges = {ranked[-(-k * len(rows) // buckets) - 1] for k in range(1, buckets)}
    assert quantile_edges(pa.array(values), count_V, buckets) == tuple(sorted(edges))


def test_calendar_hours_by_hand():
    # 21 October 2014 was day 5407 after 1 January 2000 (14 years, 4 leap days, 293 days)
    assert hours_of(pa.array([14102123, 14102200])).tolist() == [5407 * 24 + 23, 5408 * 24]
