"""80/10/10: sizes by hand, and no row in two parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import write_events

from mutualctr.config import SplitConfig
from mutualctr.data.contract import load_contract
from mutualctr.data.split import DEV, TEST, TRAIN, parts_along, read_parts, split
from mutualctr.errors import DataError


def events_of(folder, rows, hour=None):
    columns = {"row": np.arange(1, rows + 1)}
    if hour is not None:
        columns["hour"] = hour
    return write_events(folder, columns)


def test_along_an_order_by_hand():
    # 11 rows: a tenth is 1, train takes 9; the order puts row 10 first and row 0 last
    part_R = parts_along(np.arange(11)[::-1])
    assert part_R.tolist() == [TEST, DEV, *[TRAIN] * 9]


@given(rows=st.integers(10, 3000), seed=st.integers(0, 2**31))
def test_every_row_has_one_part_and_the_sizes_hold(rows, seed):
    part_R = parts_along(np.random.default_rng(seed).permutation(rows))
    assert len(part_R) == rows
    assert np.bincount(part_R).tolist() == [rows - 2 * (rows // 10), rows // 10, rows // 10]


def test_random_depends_on_the_seed_alone(tmp_path):
    events, contract = events_of(tmp_path, 1000), load_contract("criteo")
    parts = []
    for seed in (1, 1, 2):
        counts = split(events, contract, SplitConfig(by="random", seed=seed), tmp_path)
        assert counts == {"train": 800, "dev": 100, "test": 100}
        parts.append(np.array(read_parts(tmp_path)))
    assert np.array_equal(parts[0], parts[1])
    assert not np.array_equal(parts[0], parts[2])


def test_by_time_the_file_s_order_is_time_for_criteo(tmp_path):
    events = events_of(tmp_path, 20)
    split(events, load_contract("criteo"), SplitConfig(by="time", seed=0), tmp_path)
    assert read_parts(tmp_path).tolist() == [TRAIN] * 16 + [DEV] * 2 + [TEST] * 2


def test_by_time_a_column_orders_avazu(tmp_path):
    hour = np.arange(14102100, 14102120)[::-1].copy()  # newest first
    events = events_of(tmp_path, 20, hour)
    split(events, load_contract("avazu"), SplitConfig(by="time", seed=0), tmp_path)
    assert read_parts(tmp_path).tolist() == [TEST] * 2 + [DEV] * 2 + [TRAIN] * 16


def test_too_few_rows_say_so(tmp_path):
    events = events_of(tmp_path, 9)
    with pytest.raises(DataError, match="9 rows and a split into 80/10/10 % needs at least 10"):
        split(events, load_contract("criteo"), SplitConfig(by="random", seed=0), tmp_path)
