"""Prepared tables against the feature map's own encoder, on whatever people send."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.data.contract import Feature
from mutualctr.data.features import MISSING, RARE, RESERVED, FeatureMap, Field
from mutualctr.errors import DataError
from mutualctr.registry.lookup import Lookup


def field(name: str, transform: str, column_type: str, tokens: list[str]) -> Field:
    feature = Feature(name=name, column=name.split("_")[0], transform=transform)
    counts = pa.array([1] * len(tokens), pa.int64())
    return Field(feature, column_type, pa.array(tokens), counts)


FEATURES = FeatureMap(
    (
        field("colour", "category", "text", ["red", "1", "nan"]),
        field("count", "log_squared", "integer", ["1", "21", "-2"]),
        field("hour_clock", "hour_of_day", "integer", ["08"]),
        field("hour", "category", "integer", ["14102108"]),
    ),
    min_count=1,
)
LOOKUP = Lookup(FEATURES)


def test_by_hand():
    # offsets: colour 0, count 6, the clock 12, the hour as a token 16
    frame = pd.DataFrame(
        {
            "colour": ["red", "blue", None],
            "count": ["100", 5, ""],
            "hour": [14102108, None, "x"[:0]],
        }
    )
    ids_BF = LOOKUP.encode_frame(frame)
    assert ids_BF.dtype == np.int32
    assert ids_BF[0].tolist() == [RESERVED, 6 + RESERVED + 1, 12 + RESERVED, 16 + RESERVED]
    assert ids_BF[1].tolist() == [RARE, 6 + RARE, 12 + MISSING, 16 + MISSING]
    assert ids_BF[2].tolist() == [MISSING, 6 + MISSING, 12 + MISSING, 16 + MISSING]


NOTHING = st.sampled_from([None, float("nan"), "", pd.NA])
TEXTS = NOTHING | st.sampled_from(["red", "1", "nan", " red", "Rot", 0, 1, 1.0])
COUNTS = (
    NOTHING
    | st.integers(-5, 2**40)
    | st.integers(-5, 200).map(float)
    | st.sampled_from(["7", " 12 ", "-2", "1e2", "abc", "0x1F", "1.0", 0.5, True, "９"])
)
HOURS = NOTHING | st.sampled_from([14102108, "14102108", 14102109.0])


@given(st.lists(st.tuples(TEXTS, COUNTS, HOURS), min_size=1, max_size=6))
def test_it_reads_every_row_as_the_feature_map_does(rows):
    frame = pd.DataFrame(rows, columns=["colour", "count", "hour"], dtype=object)
    expected, found = (_ids_or_sentence(encoder, frame) for encoder in (FEATURES, LOOKUP))
    assert found == expected


def _ids_or_sentence(encoder, frame):
    try:
        return encoder.encode_frame(frame).tolist()
    except DataError as error:
        return str(error)


def test_typed_columns_are_read_alike():
    frame = pd.DataFrame({"colour": ["red", None], "count": [7, 100], "hour": [14102108, 14102109]})
    for typed in (
        frame,
        frame.astype({"colour": "category"}),
        frame.astype({"colour": "string", "count": "Int64", "hour": "float64"}),
        frame.astype({"count": "int8"}),
    ):
        assert np.array_equal(LOOKUP.encode_frame(typed), FEATURES.encode_frame(frame))


def test_an_absent_column_is_named():
    with pytest.raises(DataError, match="no column `count`"):
        LOOKUP.encode_frame(pd.DataFrame({"colour": ["red"], "hour": [1]}))
