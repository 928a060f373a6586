"""Sequences by hand: order, truncation, padding, no look at the same time or a later part."""

import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_blocks import CONTRACT, encode, table_of

from mutualctr.config import SplitConfig
from mutualctr.data import features
from mutualctr.data.blocks import open_block, write_blocks
from mutualctr.data.coded import read_coded
from mutualctr.data.contract import Sequence
from mutualctr.data.contract_file import load_contract
from mutualctr.data.events import ingest
from mutualctr.data.layout import PADDING, RARE
from mutualctr.data.origin import find_source
from mutualctr.data.sequences import ClickHistory, last_items
from mutualctr.data.split import read_parts, split
from mutualctr.errors import DataError


def history(part_R, clicked_R=(1, 1, 0, 1, 1, 1)):
    return ClickHistory(
        user_R=np.array([0, 0, 0, 0, 0, 1]),
        time_R=np.array([10, 30, 20, 30, 40, 35]),
        item_R=np.array([5, 6, 7, 8, 9, 4], np.int32),
        clicked_R=np.array(clicked_R) == 1,
        part_R=np.array(part_R, np.uint8),
    )


def test_the_last_clicks_by_hand():
    # user 0: item 5 at 10, 7 at 20 (no click), 6 and 8 at 30, 9 at 40; user 1: item 4 at 35
    ids_BL = history([0] * 6).last(slice(0, 6), length=2)
    assert ids_BL.tolist() == [[0, 0], [0, 5], [0, 5], [0, 5], [6, 8], [0, 0]]
    assert history([0] * 6).last(slice(4, 5), length=4).tolist() == [[0, 5, 6, 8]]
    assert history([0] * 6).last(slice(4, 5), length=1).tolist() == [[8]]


def test_no_row_sees_a_later_part():
    # the clicks at 10 and 30 are dev's and test's: train sees neither, dev its own, test all
    assert history([1, 2, 0, 0, 0, 0]).last(slice(0, 6), 2).tolist()[4] == [0, 8]
    assert history([1, 2, 0, 0, 1, 0]).last(slice(0, 6), 2).tolist()[4] == [5, 8]
    assert history([1, 2, 0, 0, 2, 0]).last(slice(0, 6), 2).tolist()[4] == [6, 8]
    assert history([3, 3, 3, 3, 2, 0]).last(slice(0, 6), 2).tolist()[4] == [0, 0]


def test_nobody_clicked():
    assert history([0] * 6, [0] * 6).last(slice(0, 6), 2).tolist() == [[0, 0]] * 6


def test_last_items_by_hand():
    ids_BC = np.array([[3, 4, 0, 0], [0, 5, 0, 6], [0, 0, 0, 0], [7, 8, 9, 3]])
    assert last_items(ids_BC, 3).tolist() == [[0, 3, 4], [0, 5, 6], [0, 0, 0], [8, 9, 3]]


ROWS = [
    {"click": 1, "at": 1, "user": "u", "item": "a", "price": 1, "seen_1": "b", "seen_2": "0"},
    {"click": 1, "at": 2, "user": "u", "item": "b", "price": 1, "seen_1": "c", "seen_2": "a"},
    {"click": 0, "at": 3, "user": "u", "item": "a", "price": 1, "seen_1": "z", "seen_2": None},
]


def encoded(tmp_path):
    rows = [row | {"seen_3": "0"} for row in ROWS]
    return encode(tmp_path, table_of(rows), np.array([0, 0, 1], np.uint8), 1, 2)


def test_the_layout_by_hand(tmp_path):
    # item: a 2, b 2, c 1 over item and seen_1..3 of the train rows → ids 3, 4, 5 before offset 0
    feature_map, (train, dev, _) = encoded(tmp_path)
    seen, clicked = feature_map.sequences
    assert (seen.start, seen.length, seen.target, seen.padding_id) == (3, 2, 0, 0)
    assert (clicked.start, clicked.length, clicked.target, clicked.padding_id) == (5, 2, 0, 0)
    assert feature_map.num_fields == 7
    assert train.ids_RF[:, 0].tolist() == [3, 4]
    assert train.ids_RF[:, 3:].tolist() == [[0, 4, 0, 0], [5, 3, 0, 3]]
    assert dev.ids_RF[:, 3:].tolist() == [[0, RARE, 3, 4]]


def test_serving_gives_the_same_ids(tmp_path):
    encoded(tmp_path)
    feature_map = encoded(tmp_path / "again")[0]
    feature_map.save(tmp_path / "features")
    loaded = features.load(tmp_path / "features")
    assert loaded == feature_map
    assert loaded.sequences == feature_map.sequences
    assert loaded.raw_columns == ["item", "price", "seen_1", "seen_2", "seen_3", "clicked"]
    frame = pd.DataFrame(
        {"item": ["a"], "price": [1], "seen_1": ["z"], "seen_2": [None], "seen_3": ["0"]}
    )
    for clicked in (["a", "b"], ["c", "a", None, "b"], np.array(["a", "b"])):
        ids_BF = loaded.encode_frame(frame.assign(clicked=[clicked]))
        assert ids_BF[0, 3:].tolist() == [PADDING, RARE, 3, 4]
    ids_BF = loaded.encode_frame(frame.assign(clicked=[None]))
    assert ids_BF[0, 5:].tolist() == [PADDING, PADDING]
    with pytest.raises(DataError, match="no column `clicked`"):
        loaded.encode_frame(frame)


def test_padding_ids_start_at_the_field_s_offset():
    first, item = (
        features.Field(feature, "text", pa.array(["x", "y"]), pa.array([2, 1]))
        for feature in (CONTRACT.common_features[1], CONTRACT.common_features[0])
    )
    sequence = Sequence(name="s", transform="sequence", of="item", user="user", length=4)
    feature_map = features.FeatureMap((first, item), 1, (sequence,))
    (layout,) = feature_map.sequences
    assert (layout.target, layout.start, layout.padding_id) == (1, 2, 5)


def test_on_movielens_every_history_is_the_naive_one(tmp_path):
    folder = Path(os.environ.get("MUTUALCTR_DATA", "../shared/data"))
    path = folder / "movielens_100k" / "ml-100k.inter.gz"
    if not path.exists():
        pytest.skip("the sample movielens_100k is not on this machine")
    contract = load_contract("movielens_100k")
    for step in ("events", "split", "blocks"):
        (tmp_path / step).mkdir()
    ingest(find_source(str(path.resolve()), contract, None), contract, tmp_path / "events")
    events = tmp_path / "events" / "files"
    split(events, contract, SplitConfig(by="time"), tmp_path / "split")
    part_R = read_parts(tmp_path / "split")
    chosen, sequences = contract.features("history"), contract.sequences("history")
    coded = read_coded(events, part_R, features.raw_columns(chosen, sequences))
    types = {column.name: column.type for column in contract.columns}
    feature_map = features.fit(coded, chosen, sequences, types, 1)
    write_blocks(events, coded, part_R, feature_map, contract, tmp_path / "blocks")
    raw = pq.read_table(events, columns=["user_id", "item_id", "timestamp", "click"]).to_pydict()
    users, items, times, clicks = raw.values()
    (layout,) = feature_map.sequences
    item = feature_map.fields[layout.target]
    by_user = defaultdict(list)
    for row in np.argsort(times, kind="stable").tolist():
        by_user[users[row]].append(row)
    for part in ("train", "test"):
        block = open_block(tmp_path / "blocks", part)
        for at in range(0, block.rows, 997):
            row = int(block.row_R[at]) - 1
            liked = [
                items[r]
                for r in by_user[users[row]]
                if times[r] < times[row] and clicks[r] and part_R[r] <= part_R[row]
            ][-20:]
            ids = item.local_ids(pa.array(liked, pa.int64())) + layout.padding_id
            expected = [layout.padding_id] * (20 - len(liked)) + ids.tolist()
            assert block.ids_RF[at, layout.start :].tolist() == expected
