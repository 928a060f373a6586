"""Equal rows have equal digests, however they are cut; anything else has another."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.data.content import ContentDigest

ROWS = st.lists(
    st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.text(max_size=5)),
    max_size=12,
)
SCHEMA = pa.schema([("number", pa.int64()), ("word", pa.string())])


def digest(*parts, columns=("number", "word")) -> str:
    whole = ContentDigest(columns)
    for rows in parts:
        arrays = [pa.array([row[n] for row in rows], SCHEMA.types[n]) for n in (0, 1)]
        whole.add(pa.table(arrays, schema=SCHEMA))
    return whole.hexdigest()


@given(ROWS, st.integers(0, 12))
def test_how_rows_are_cut_does_not_matter(rows, cut):
    assert digest(rows) == digest(rows[:cut], rows[cut:])


@given(ROWS, ROWS)
def test_other_rows_have_another_digest(left, right):
    assert (digest(left) == digest(right)) == (left == right)


def test_missing_is_neither_zero_nor_empty_and_borders_count():
    rows = [(0, ""), (None, ""), (0, None)]
    assert len({digest([row]) for row in rows}) == 3
    assert digest([(1, "ab"), (1, "c")]) != digest([(1, "a"), (1, "bc")])
    assert digest([(1, "a")], columns=["word"]) != digest([(1, "a")])


def test_a_slice_is_its_own_rows():
    table = pa.table({"number": pa.array([1, 2, 3], pa.int64()), "word": ["a", "bb", None]})
    sliced = ContentDigest(["number", "word"])
    sliced.add(table.slice(1, 2))
    assert sliced.hexdigest() == digest([(2, "bb"), (3, None)])


@given(ROWS, st.integers(0, 12))
def test_codes_are_what_they_stand_for(rows, cut):
    words = [word for _, word in rows]
    parts = [pa.array(part, pa.string()).dictionary_encode() for part in (words[:cut], words[cut:])]
    numbers = pa.array([number for number, _ in rows], pa.int64())
    coded = ContentDigest(["number", "word"])
    coded.add(pa.table({"number": numbers, "word": pa.chunked_array(parts)}))
    assert coded.hexdigest() == digest(rows)
