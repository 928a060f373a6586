"""Blocks against an encoder that goes row by row; every row once, in its part."""

import naive_encoder as naive
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import write_events

from mutualctr.data import coded, features
from mutualctr.data.blocks import open_block, write_blocks
from mutualctr.data.contract import Contract
from mutualctr.data.contract_file import load_contract

CONTRACT = Contract(
    name="shop",
    description="a few columns",
    format={"delimiter": "comma", "header": True, "missing": ""},
    time="at",
    columns=[
        {"name": "click", "type": "integer", "role": "label"},
        {"name": "at", "type": "integer", "role": "time"},
        {"name": "user", "type": "text", "role": "category"},
        {"name": "item", "type": "text", "role": "category"},
        {"name": "price", "type": "integer", "role": "number"},
        {"name": "seen_1", "type": "text", "role": "category"},
        {"name": "seen_2", "type": "text", "role": "category"},
        {"name": "seen_3", "type": "text", "role": "category"},
    ],
    expectations=[],
    common_features=[
        {"name": "item", "column": "item", "transform": "category"},
        {"name": "price", "column": "price", "transform": "log_squared"},
        {"name": "size", "column": "price", "transform": "log"},
        {
            "name": "seen",
            "transform": "sequence",
            "of": "item",
            "columns": ["seen_1", "seen_2", "seen_3"],
            "padding": "0",
            "length": 2,
        },
        {"name": "clicked", "transform": "sequence", "of": "item", "user": "user", "length": 2},
    ],
    alternatives={},
)
TYPES = {column.name: column.type for column in CONTRACT.columns}
ITEMS = st.none() | st.sampled_from(["a", "b", "c", "é"])
ROW = st.fixed_dictionaries(
    {
        "click": st.integers(0, 1),
        "at": st.integers(0, 4),
        "user": st.none() | st.sampled_from(["u", "v"]),
        "item": ITEMS,
        "price": st.none() | st.integers(-3, 10) | st.integers(-(10**18) + 1, 10**18 - 1),
        "seen_1": ITEMS,
        "seen_2": ITEMS | st.just("0"),
        "seen_3": ITEMS | st.just("0"),
    }
)


def table_of(rows):
    types = {"integer": pa.int64(), "text": pa.string()}
    columns = {name: pa.array([row[name] for row in rows], types[TYPES[name]]) for name in TYPES}
    return pa.table({"row": np.arange(1, len(rows) + 1)} | columns)


def encode(folder, table, part_R, min_count, row_group_size, contract=CONTRACT):
    events = write_events(folder, table, row_group_size)
    chosen, sequences = contract.features(None), contract.sequences(None)
    types = {column.name: column.type for column in contract.columns}
    columns = coded.read_coded(events, part_R, features.raw_columns(chosen, sequences))
    feature_map = features.fit(columns, chosen, sequences, types, min_count)
    write_blocks(events, columns, part_R, feature_map, contract, folder / "blocks")
    return feature_map, [open_block(folder / "blocks", part) for part in ("train", "dev", "test")]


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(ROW, st.integers(0, 3)), min_size=1, max_size=25),
    min_count=st.integers(1, 3),
    row_group_size=st.integers(1, 30),
    kept_bytes=st.sampled_from([0, 1 << 20]),
)
def test_equals_the_row_by_row_encoder(
    rows, min_count, row_group_size, kept_bytes, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("naive")
    table, parts = table_of([row for row, _ in rows]), [part for _, part in rows]
    raw = {name: table[name].to_pylist() for name in table.column_names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coded, "CODES_KEPT_BYTES", kept_bytes)
        feature_map, blocks = encode(
            folder, table, np.array(parts, np.uint8), min_count, row_group_size
        )

    # The item's vocabulary counts the items of the columns too; "0" there is no item.
    seen = [[None if v == "0" else v for v in raw[f"seen_{n}"]] for n in (1, 2, 3)]
    sources = [(raw["item"], *seen), (raw["price"],), (raw["price"],)]
    columns, offset, vocabularies = [], 0, []
    for field, values in zip(feature_map.fields, sources, strict=True):
        transform = field.feature.transform
        all_values = [value for part in values for value in part]
        expected = naive.vocabulary(all_values, transform, parts * len(values), min_count)
        tokens = [text for text, _ in expected]
        assert field.tokens_V.to_pylist() == tokens
        assert field.counts_V.to_pylist() == [count for _, count in expected]
        columns.append(naive.ids(values[0], transform, tokens, offset))
        vocabularies.append(tokens)
        offset += field.size
    for row in range(len(rows)):
        items = [v for v in (column[row] for column in seen) if v is not None][-2:]
        before = naive.clicked_before(
            row, raw["user"], raw["at"], raw["item"], raw["click"], parts, length=2
        )
        sequence = [None] * (2 - len(items)) + items + before
        for place, value in enumerate(sequence):
            if row == 0:
                columns.append([])
            columns[3 + place].append(naive.item_id(value, vocabularies[0]))

    ids_RF = np.array(columns, np.int32).T
    for number, block in enumerate(blocks):
        chosen = np.flatnonzero(np.array(parts) == number)
        assert block.ids_RF.dtype == np.int32
        assert block.row_R.tolist() == (chosen + 1).tolist()
        assert block.ids_RF.tolist() == ids_RF[chosen].tolist()
        assert block.label_R.tolist() == [raw["click"][row] for row in chosen]


@pytest.mark.parametrize("row_group_size", [1, 3, 100])
def test_every_row_is_once_in_its_part(tmp_path, row_group_size):
    contract = load_contract("criteo")
    rows = 50
    rng = np.random.default_rng(0)
    raw = {"row": np.arange(1, rows + 1), "label": rng.integers(0, 2, rows)}
    raw |= {f"I{i}": rng.integers(0, 9, rows) for i in range(1, 14)}
    raw |= {f"C{i}": [f"{v:08x}" for v in rng.integers(0, 5, rows)] for i in range(1, 27)}
    part_R = rng.integers(0, 4, rows).astype(np.uint8)
    feature_map, blocks = encode(tmp_path, pa.table(raw), part_R, 1, row_group_size, contract)
    all_ids = feature_map.encode_table(pa.table(raw))
    seen = []
    for number, block in enumerate(blocks):
        expected = np.flatnonzero(part_R == number)
        assert block.row_R.tolist() == (expected + 1).tolist()
        assert np.array_equal(block.ids_RF, all_ids[expected])
        assert np.array_equal(block.label_R, raw["label"][expected])
        seen += block.row_R.tolist()
    assert sorted(seen) == (np.flatnonzero(part_R < 3) + 1).tolist()


def test_more_distinct_values_than_small_codes_hold(tmp_path):
    rows = 70_000
    table = pa.table(
        {"row": np.arange(1, rows + 1), "label": np.arange(rows) % 2, "id": np.arange(rows)}
    )
    contract = Contract(
        name="wide",
        description="one column of many values",
        format={"delimiter": "comma", "header": True, "missing": ""},
        time="row",
        columns=[
            {"name": "label", "type": "integer", "role": "label"},
            {"name": "id", "type": "integer", "role": "category"},
        ],
        expectations=[],
        common_features=[{"name": "id", "column": "id", "transform": "category"}],
        alternatives={},
    )
    part_R = np.repeat(np.array([0, 1, 2], np.uint8), [69_000, 500, 500])
    feature_map, blocks = encode(tmp_path, table, part_R, 1, None, contract)
    assert feature_map.num_ids == 69_003
    assert len(np.unique(blocks[0].ids_RF)) == 69_000
    assert set(blocks[2].ids_RF[:, 0].tolist()) == {2}  # rare
