"""80/10/10: sizes by hand, and no row in two parts."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import write_events

from mutualctr.closed import parse
from mutualctr.config import SplitConfig
from mutualctr.data.contract_file import load_contract
from mutualctr.data.event_files import file_name
from mutualctr.data.hashing import hash_integers, hash_texts
from mutualctr.data.split import (
    DEV,
    SET_ASIDE,
    TEST,
    TRAIN,
    parts_along,
    parts_in_time,
    parts_of_hashes,
    read_parts,
    split,
)
from mutualctr.errors import ConfigError, DataError

CRITEO, AVAZU = load_contract("criteo"), load_contract("avazu")


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
        assert counts == {"train": 800, "dev": 100, "test": 100, "set_aside": 0}
        parts.append(np.array(read_parts(tmp_path)))
    assert np.array_equal(parts[0], parts[1])
    assert not np.array_equal(parts[0], parts[2])


def test_by_time_the_file_s_order_is_time_for_criteo(tmp_path):
    events = events_of(tmp_path, 20)
    split(events, load_contract("criteo"), SplitConfig(by="time"), tmp_path)
    assert read_parts(tmp_path).tolist() == [TRAIN] * 16 + [DEV] * 2 + [TEST] * 2


def test_by_time_a_column_orders_avazu(tmp_path):
    hour = np.arange(14102100, 14102120)[::-1].copy()  # newest first
    events = events_of(tmp_path, 20, hour)
    split(events, load_contract("avazu"), SplitConfig(by="time"), tmp_path)
    assert read_parts(tmp_path).tolist() == [TEST] * 2 + [DEV] * 2 + [TRAIN] * 16


def test_too_few_rows_say_so(tmp_path):
    events = events_of(tmp_path, 9)
    with pytest.raises(DataError, match="9 rows and a split into 80/10/10 % needs at least 10"):
        split(events, load_contract("criteo"), SplitConfig(by="random", seed=0), tmp_path)


def test_the_hash_of_a_number_and_of_a_text_by_hand():
    # SplitMix64 from state 0 gives these first; FNV-1a of "a" is 0xaf63dc4c8601ec8c
    assert hash_integers(np.array([0])).tolist() == [0xE220A8397B1DCDAF]
    (of_a,) = hash_texts(pa.array(["a"])).tolist()
    (by_hand,) = hash_integers(np.array([0xAF63DC4C8601EC8C], np.uint64).view(np.int64)).tolist()
    assert of_a == by_hand


def naive_hash(text):
    word = 0xCBF29CE484222325
    for byte in text.encode():
        word = (word ^ byte) * 0x100000001B3 % 2**64
    return hash_integers(np.array([word], np.uint64).view(np.int64))[0]


@settings(max_examples=30)
@given(texts=st.lists(st.text(max_size=6), max_size=5), skipped=st.integers(0, 3))
def test_hashing_texts_is_the_byte_by_byte_one(texts, skipped):
    hashed = hash_texts(pa.array(texts, pa.string())[skipped:])
    assert hashed.tolist() == [naive_hash(text) for text in texts[skipped:]]


def test_the_thresholds_by_hand():
    top = 2**64 // 10
    hash_R = np.array([0, 8 * top - 1, 8 * top, 9 * top - 1, 9 * top, 2**64 - 1], np.uint64)
    assert parts_of_hashes(hash_R).tolist() == [TRAIN, TRAIN, DEV, DEV, TEST, TEST]


def test_by_hash_rows_keep_their_part_when_rows_are_added(tmp_path):
    ids = [f"{n * 7919:020d}" for n in range(5000)]
    parts = []
    for rows in (3000, 5000):
        events = write_events(tmp_path, {"row": np.arange(1, rows + 1), "id": ids[:rows]}, 700)
        for config in (SplitConfig(by="hash"), SplitConfig(by="hash", id="id")):
            counts = split(events, CRITEO, config, tmp_path)
            assert abs(counts["train"] / rows - 0.8) < 0.02
            assert abs(counts["dev"] / rows - 0.1) < 0.02
            parts.append(np.array(read_parts(tmp_path)))
    assert np.array_equal(parts[0], parts[2][:3000])
    assert np.array_equal(parts[1], parts[3][:3000])
    assert not np.array_equal(parts[0], parts[1])


def test_by_hash_a_row_needs_an_id(tmp_path):
    events = write_events(tmp_path, {"row": np.arange(1, 21), "id": ["x"] * 19 + [None]})
    with pytest.raises(DataError, match="Row 20 has no id"):
        split(events, CRITEO, SplitConfig(by="hash", id="id"), tmp_path)


def test_a_gap_in_rows_by_hand(tmp_path):
    # 40 rows: dev begins at position 32, test at 36; a gap of 2 takes one row on each side
    events = events_of(tmp_path, 40)
    counts = split(events, CRITEO, SplitConfig(by="time", gap=2), tmp_path)
    assert counts == {"train": 31, "dev": 2, "test": 3, "set_aside": 4}
    expected = [TRAIN] * 31 + [SET_ASIDE] * 2 + [DEV] * 2 + [SET_ASIDE] * 2 + [TEST] * 3
    assert read_parts(tmp_path).tolist() == expected


def test_a_gap_is_in_hours_where_the_contract_says_calendar_hour(tmp_path):
    # two days, an hour a row: dev begins at position 40 (16 h of the second day), test at 44
    hour = np.concatenate([14102100 + np.arange(24), 14102200 + np.arange(24)])
    events = events_of(tmp_path, 48, hour)
    split(events, AVAZU, SplitConfig(by="time", gap=3), tmp_path)
    assert np.flatnonzero(read_parts(tmp_path) == SET_ASIDE).tolist() == [39, 40, 41, 43, 44, 45]


@given(times=st.lists(st.integers(0, 60), min_size=10, max_size=80), gap=st.integers(1, 20))
def test_parts_lie_more_than_the_gap_apart(times, gap):
    time_R = np.array(times)
    part_R = parts_in_time(time_R, gap)
    for earlier, later in ((TRAIN, DEV), (DEV, TEST), (TRAIN, TEST)):
        if (part_R == earlier).any() and (part_R == later).any():
            assert time_R[part_R == later].min() - time_R[part_R == earlier].max() > gap


def test_a_gap_that_swallows_a_part_says_so(tmp_path):
    events = events_of(tmp_path, 20)
    with pytest.raises(DataError, match="leaves no row for dev; give more data or a smaller gap"):
        split(events, CRITEO, SplitConfig(by="time", gap=8), tmp_path)


def test_rows_set_aside_are_in_no_part(tmp_path):
    events = write_events(tmp_path, {"row": np.array([1, 2, 5, *range(7, 107)])}, 9)
    for config in (
        SplitConfig(by="random", seed=1),
        SplitConfig(by="hash"),
        SplitConfig(by="time"),
    ):
        counts = split(events, CRITEO, config, tmp_path, set_aside=np.array([2, 5, 106]))
        part_R = read_parts(tmp_path)
        assert np.flatnonzero(part_R == SET_ASIDE).tolist() == [1, 2, 102]
        assert counts["set_aside"] == 3
        assert sum(counts.values()) == 103
    assert counts == {"train": 80, "dev": 10, "test": 10, "set_aside": 3}


def given_files(folder, rows, wrong_md5=None, changed=None):
    """Three events files in the order of their names, and the source files they come from."""
    (folder / "files").mkdir(parents=True)
    entries, record, start = {}, [], 1
    for number, (part, n) in enumerate(sorted(rows.items())):
        source = folder / f"{part}.csv"
        source.write_bytes(part.encode())
        md5 = hashlib.md5(b"another" if part == wrong_md5 else part.encode()).hexdigest()
        entries[part] = {"path": str(source), "md5": md5}
        read = b"another" if part == changed else part.encode()
        rows_of_it = {"first_row": start, "rows": n, "malformed": 0}
        record.append(
            {"file": source.name, "sha256": hashlib.sha256(read).hexdigest()} | rows_of_it
        )
        table = pa.table({"row": np.arange(start, start + n)})
        pq.write_table(table, folder / "files" / file_name(number))
        start += n
    (folder / "files.json").write_text(json.dumps(record))
    return folder / "files", SplitConfig(by="files", files=entries)


X4 = {"train": 8, "dev": 3, "test": 2}


def test_given_files_are_the_parts(tmp_path):
    # in the order of their names dev.csv comes first
    events, config = given_files(tmp_path, X4)
    counts = split(events, CRITEO, config, tmp_path)
    assert counts == X4 | {"set_aside": 0}
    assert read_parts(tmp_path).tolist() == [DEV] * 3 + [TEST] * 2 + [TRAIN] * 8


def test_given_files_must_be_those_that_were_meant_and_read(tmp_path):
    events, config = given_files(tmp_path / "a", X4, wrong_md5="dev")
    with pytest.raises(DataError, match=r"dev\.csv: the dev file of the split has md5 .*, not"):
        split(events, CRITEO, config, tmp_path)
    events, config = given_files(tmp_path / "b", X4, changed="test")
    with pytest.raises(DataError, match=r"test\.csv: the test file .* is not among the files"):
        split(events, CRITEO, config, tmp_path)
    events, config = given_files(tmp_path / "c", X4)
    record = json.loads((tmp_path / "c" / "files.json").read_text())
    (tmp_path / "c" / "files.json").write_text(json.dumps([*record, {"file": "more.csv"}]))
    with pytest.raises(DataError, match=r"has no part for more\.csv; read only its three files"):
        split(events, CRITEO, config, tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"by": "random"}, "a split by random needs `seed`"),
        ({"by": "files"}, "a split by files needs `files`"),
        ({"by": "random", "seed": 1, "gap": 3}, "`gap` belongs to a split by time, not by random"),
        ({"by": "time", "seed": 1}, "`seed` belongs to a split by random"),
        ({"by": "time", "gap": 0}, "gap"),
    ],
)
def test_a_split_has_the_keys_of_its_kind(config, message):
    with pytest.raises(ConfigError, match=message):
        parse(SplitConfig, config, "here")
