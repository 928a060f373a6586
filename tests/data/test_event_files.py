"""Events on the disk: what is written comes back, as text and as codes."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from mutualctr.data import event_files
from mutualctr.data.coded import read_coded
from mutualctr.data.event_files import column_chunks, num_rows, row_groups, write_file

SCHEMA = pa.schema([("row", pa.int64()), ("n", pa.int64()), ("word", pa.string())])
ROWS = st.lists(
    st.tuples(st.none() | st.integers(-5, 5), st.none() | st.sampled_from(["a", "b", "é", ""])),
    max_size=30,
)


def tables_of(rows, sizes):
    columns = zip(*rows, strict=True) if rows else ([], [])
    table = pa.table([range(1, len(rows) + 1), *columns], schema=SCHEMA)
    start = 0
    for size in sizes:
        yield table.slice(start, size)
        start += size
    yield table.slice(start)


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, sizes=st.lists(st.integers(0, 9), max_size=4), group_rows=st.integers(1, 20))
def test_what_is_written_comes_back(rows, sizes, group_rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    event_files.ROW_GROUP_ROWS, before = group_rows, event_files.ROW_GROUP_ROWS
    try:
        assert write_file(tables_of(rows, sizes), SCHEMA, folder / "00000.parquet") == len(rows)
    finally:
        event_files.ROW_GROUP_ROWS = before
    assert num_rows(folder) == len(rows)
    back = pq.read_table(folder)
    assert back.schema == SCHEMA  # a reader sees text and no dictionaries
    assert [(r["n"], r["word"]) for r in back.to_pylist()] == rows
    assert back["row"].to_pylist() == list(range(1, len(rows) + 1))

    groups = row_groups(folder)
    assert [group.start for group in groups] == [start for start, _ in column_chunks(folder, ["n"])]
    assert sum(group.rows for group in groups) == len(rows)
    coded = read_coded(folder, np.zeros(len(rows), np.uint8), ["word", "n"])
    for name, at in (("word", 1), ("n", 0)):
        values = [*coded.columns[name].values_V.to_pylist(), None]
        found = [
            values[position]
            for group in range(len(groups))
            for position in coded.lookup(group, name, np.arange(len(values) - 1), -1)
        ]
        assert found == [row[at] for row in rows]
        counts = dict(zip(values, coded.columns[name].train_count_V.tolist(), strict=False))
        assert counts == {v: sum(r[at] == v for r in rows) for v in counts}


def test_a_column_of_ids_is_stored_as_plain_text(tmp_path):
    rows = 1000
    for kind, words in (
        ("ids", [f"{n:020d}" for n in range(rows)]),
        ("words", [f"{n % 9:020d}" for n in range(rows)]),
    ):
        (tmp_path / kind).mkdir()
        path = tmp_path / kind / "00000.parquet"
        table = pa.table([range(1, rows + 1), [n % 3 for n in range(rows)], words], schema=SCHEMA)
        write_file([table], SCHEMA, path)
        column = pq.read_metadata(path).row_group(0).column(2)
        assert column.has_dictionary_page == (kind == "words")
        (group,) = row_groups(tmp_path / kind)
        assert group.read(["word"])["word"].to_pylist() == words
