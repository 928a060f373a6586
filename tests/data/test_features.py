"""Vocabulary and ids by hand, then the fast encoder against a row-by-row one."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import write_events

from mutualctr.data import features
from mutualctr.data.coded import read_coded
from mutualctr.data.contract import Feature
from mutualctr.data.layout import MISSING, RARE, RESERVED
from mutualctr.data.split import DEV, TEST, TRAIN
from mutualctr.errors import DataError

COLOUR = Feature(name="colour", column="colour", transform="category")
COUNT = Feature(name="count", column="count", transform="log_squared")
TYPES = {"colour": "text", "count": "integer"}
ROWS = {
    "colour": ["red", "red", "blue", None, "blue", "green", "red", "gold"],
    "count": [1, 3, None, 100, 100, 1, 7, 100],
}
PARTS = np.array([TRAIN, TRAIN, TRAIN, TRAIN, TRAIN, TRAIN, DEV, TEST], dtype=np.uint8)


def fitted(tmp_path, min_count, row_group_size=3):
    path = write_events(tmp_path, ROWS, row_group_size)
    return fit(path, PARTS, [COLOUR, COUNT], min_count)


def fit(events, part_R, chosen, min_count):
    coded = read_coded(events, part_R, features.raw_columns(chosen, ()))
    return features.fit(coded, chosen, (), TYPES, min_count)


def test_the_vocabulary_by_hand(tmp_path):
    # train colours: red 2, blue 2, green 1 (gold is in test). Counts: 1, 3→1, –, 21, 21, 1
    colour, count = fitted(tmp_path, min_count=2).fields
    assert colour.tokens_V.to_pylist() == ["blue", "red"]  # equal counts: by text
    assert colour.counts_V.to_pylist() == [2, 2]
    assert count.tokens_V.to_pylist() == ["1", "21"]
    assert count.counts_V.to_pylist() == [3, 2]
    assert fitted(tmp_path, min_count=1).fields[0].tokens_V.to_pylist() == ["blue", "red", "green"]


def test_ids_by_hand(tmp_path):
    # colour owns ids 0 … 4 (padding, missing, rare, blue, red), count 5 … 9; 7 has the token 3
    feature_map = fitted(tmp_path, min_count=2)
    assert feature_map.num_ids == 10
    ids_BF = feature_map.encode_table(pa.table(ROWS))
    assert ids_BF[:, 0].tolist() == [4, 4, 3, MISSING, 3, RARE, 4, RARE]
    assert (ids_BF[:, 1] - 5).tolist() == [3, 3, MISSING, 4, 4, 3, RARE, 4]
    assert ids_BF.dtype == np.int32


def test_it_survives_the_disk(tmp_path):
    feature_map = fitted(tmp_path, min_count=1)
    feature_map.save(tmp_path / "features")
    loaded = features.load(tmp_path / "features")
    assert loaded == feature_map
    text = (tmp_path / "features" / "vocabulary.csv").read_text()
    assert text.splitlines()[1] == '"colour","blue",2'


def test_awkward_tokens_survive_the_disk(tmp_path):
    awkward = ['with "quotes"', "comma, here", "two\nlines", " blanks ", "NULL", "", "été", "0x1"]
    path = write_events(tmp_path, {"colour": awkward})
    part_R = np.zeros(len(awkward), dtype=np.uint8)
    feature_map = fit(path, part_R, [COLOUR], 1)
    feature_map.save(tmp_path / "features")
    loaded = features.load(tmp_path / "features")
    assert sorted(loaded.fields[0].tokens_V.to_pylist()) == sorted(awkward)
    assert loaded == feature_map


def test_a_field_without_tokens_survives_the_disk(tmp_path):
    feature_map = fitted(tmp_path, min_count=100)
    feature_map.save(tmp_path / "features")
    assert features.load(tmp_path / "features") == feature_map
    assert feature_map.num_ids == 2 * RESERVED


def naive_id(value, tokens):
    if value is None:
        return MISSING
    return tokens.index(value) + RESERVED if value in tokens else RARE


@settings(deadline=None)
@given(
    values=st.lists(st.none() | st.sampled_from(["a", "b", "c", "é", "long " * 9])),
    tokens=st.lists(st.sampled_from(["a", "b", "é", "z"]), unique=True),
)
def test_encoding_is_the_row_by_row_one(values, tokens):
    counts = pa.array([1] * len(tokens), pa.int64())
    field = features.Field(COLOUR, "text", pa.array(tokens, pa.string()), counts)
    ids = field.local_ids(pa.array(values, pa.string()))
    assert ids.tolist() == [naive_id(value, tokens) for value in values]


def test_a_pandas_frame_is_read_as_people_hold_it(tmp_path):
    feature_map = fitted(tmp_path, min_count=1)
    expected = feature_map.encode_table(pa.table(ROWS)).tolist()
    nan = float("nan")
    frames = [
        pd.DataFrame(ROWS),  # count is float64 with NaN
        pd.DataFrame({"count": ["1", " 3", "", "100", "100", "1", "7", "100"],
                      "colour": [c or "" for c in ROWS["colour"]]}),
        pd.DataFrame({"colour": ROWS["colour"], "count": ROWS["count"]}, dtype=object),
        pd.DataFrame(ROWS).astype({"count": "Int64", "colour": "string"}),
        pd.DataFrame({"colour": [c or nan for c in ROWS["colour"]], "count": ROWS["count"]},
                     index=range(50, 58)),
    ]  # fmt: skip
    for frame in frames:
        assert feature_map.encode_frame(frame).tolist() == expected
    unseen = pd.DataFrame({"colour": ["mauve"], "count": [10**15], "spare": [1]})
    assert (feature_map.encode_frame(unseen) - feature_map.offset_F).tolist() == [[RARE, RARE]]
    assert feature_map.encode_frame(frames[0].iloc[:0]).shape == (0, 2)


def test_a_number_column_given_as_floats_still_names_categories(tmp_path):
    # banner_pos, say: 1.0 beside a missing value means the token 1
    path = write_events(tmp_path, {"count": [1, 0]})
    plain = Feature(name="count", column="count", transform="category")
    feature_map = fit(path, np.zeros(2, np.uint8), [plain], 1)
    ids_BF = feature_map.encode_frame(pd.DataFrame({"count": [1.0, None, 0.0]}))
    assert ids_BF[:, 0].tolist() == [RESERVED + 1, MISSING, RESERVED]


def test_what_a_frame_cannot_be(tmp_path):
    feature_map = fitted(tmp_path, min_count=1)
    with pytest.raises(DataError, match="no column `count`; give all of colour, count"):
        feature_map.encode_frame(pd.DataFrame({"colour": ["red"]}))
    for broken in ("many", "1.5", 2.5):
        frame = pd.DataFrame({"colour": ["red", "red"], "count": [1, broken]}, dtype=object)
        with pytest.raises(DataError, match=r"Row 1, column `count`: .* is not a whole number"):
            feature_map.encode_frame(frame)


def test_a_map_of_another_format_says_so(tmp_path):
    fitted(tmp_path, min_count=1).save(tmp_path / "features")
    described = tmp_path / "features" / "features.json"
    described.write_text(
        described.read_text().replace('"format_version": 2', '"format_version": 1')
    )
    with pytest.raises(
        DataError, match="has format 1 and this version of mutualctr reads format 2"
    ):
        features.load(tmp_path / "features")


def test_quantile_edges_are_stored_and_are_train_s(tmp_path):
    # train values 1 … 8 once each, 1000 in test: four buckets end at 2, 4, 6
    values = [5, 1, 3, 7, 8, 2, 6, 4, 1000, None]
    part_R = np.array([TRAIN] * 8 + [TEST, DEV], dtype=np.uint8)
    path = write_events(tmp_path, {"count": values}, 4)
    feature = Feature(name="count", column="count", transform="quantile", buckets=4)
    feature_map = fit(path, part_R, [feature], 1)
    feature_map.save(tmp_path / "features")
    assert (
        '"edges": [\n    2,\n    4,\n    6\n   ]'
        in (tmp_path / "features/features.json").read_text()
    )
    loaded = features.load(tmp_path / "features")
    assert loaded == feature_map
    assert loaded.fields[0].tokens_V.to_pylist() == ["0", "1", "2", "3"]
    ids = loaded.encode_table(pa.table({"count": values}))[:, 0] - RESERVED
    assert ids[:9].tolist() == [2, 0, 1, 3, 3, 0, 2, 1, 3]
    assert ids[9] + RESERVED == MISSING


def test_ids_beyond_two_to_the_24th_are_exact(tmp_path):
    # float32 has no 16777217; a first field of 2^24 + 5 tokens that was never counted
    class Large(features.Field):
        size = 2**24 + 5

    large = Large(COLOUR, "text", pa.array([], pa.string()), pa.array([], pa.int64()))
    count = fitted(tmp_path, min_count=1).fields[1]
    feature_map = features.FeatureMap((large, count, count), 1)
    ids_BF = feature_map.encode_table(pa.table({"colour": [None] * 3, "count": [1, None, 100]}))
    start = 2**24 + 5
    assert ids_BF[:, 1].tolist() == [start + 3, start + MISSING, start + 4]
    assert (ids_BF[:, 2] - ids_BF[:, 1]).tolist() == [count.size] * 3
    assert feature_map.num_ids == start + 2 * count.size


@given(st.lists(st.none() | st.sampled_from(["red", "blue", "gold", ""]), max_size=9))
def test_codes_are_encoded_like_their_texts(colours):
    """Of a column cut in two, each part with a dictionary of its own; or of no rows at all."""
    tokens, counts = pa.array(["red", "blue"]), pa.array([2, 1], pa.int64())
    feature_map = features.FeatureMap((features.Field(COLOUR, "text", tokens, counts),), 1)
    parts = [pa.array(part, pa.string()) for part in (colours[:4], colours[4:])]
    coded = pa.chunked_array([part.dictionary_encode() for part in parts])
    expected = feature_map.encode_table(pa.table({"colour": pa.chunked_array(parts)}))
    assert feature_map.encode_table(pa.table({"colour": coded})).tolist() == expected.tolist()
