"""The events on disk: a folder of Parquet files, one per source file, in the order of their names.

    files/00000.parquet, files/00001.parquet, …
    files.json           name, day, SHA-256, first row and rows of each source file

`row` numbers the data rows of all source files together, from 1.

Text is hashed once, while the file is written: each row group keeps a dictionary of a text column
and a code per row, and `RowGroup.read` hands both on, so that counting and encoding touch each
distinct text once per row group and never a row.
"""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.read_ahead import read_ahead

FILES_RECORD = "files.json"
ROW_GROUP_ROWS = 1 << 16
LARGEST_DICTIONARY_BYTES = 1 << 30
"""Arrow's writer would otherwise leave the dictionary at 1 MiB and store every text."""
DISTINCT_SHARE = 0.75
"""A text column with more distinct values than this share of its rows is stored as plain text."""


def event_files(events: Path) -> list[Path]:
    """The Parquet files of an events folder, in the order of their rows; or the one file itself."""
    files = [events] if events.is_file() else sorted(events.glob("*.parquet"))
    assert files, f"{events} holds no events"
    return files


def file_name(number: int) -> str:
    """Name of the events of the source file with that number, from 0."""
    return f"{number:05d}.parquet"


def read_files_record(events: Path) -> list[dict[str, Any]]:
    """What `files.json` beside the folder says of each source file, in the order of the files."""
    return json.loads((events.parent / FILES_RECORD).read_text(encoding="utf-8"))


def num_rows(events: Path) -> int:
    """Rows of all files together."""
    return sum(pq.read_metadata(file).num_rows for file in event_files(events))


def write_file(
    tables: Iterable[pa.Table], schema: pa.Schema, path: Path, group_bytes: int | None = None
) -> int:
    """Write the tables as one Parquet file in large row groups; returns how many rows.

    A group ends at ROW_GROUP_ROWS rows, or before that at `group_bytes` where they are given.
    """
    rows, writer = 0, None
    try:
        groups = read_ahead(_row_groups_of(tables, schema, group_bytes))
        for coded in read_ahead(map(_coded, groups)):
            if writer is None:
                writer = _writer(path, coded)
            writer.write_table(coded, row_group_size=2 * ROW_GROUP_ROWS)
            rows += coded.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


def column_chunks(events: Path, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
    """(first row position, table) for each row group of the events, only the named columns."""
    start = 0
    for path in event_files(events):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=columns)
                yield start, table
                start += table.num_rows


@dataclass(frozen=True)
class RowGroup:
    """Some consecutive rows of the events; several threads may read theirs at the same time."""

    path: Path
    number: int
    metadata: pq.FileMetaData
    start: int
    """Position of the first row in all events."""

    @property
    def rows(self) -> int:
        return self.metadata.row_group(self.number).num_rows

    def read(self, columns: list[str]) -> pa.Table:
        """The named columns; text as dictionary arrays."""
        (table,) = read_groups([self], columns)
        return table


def read_groups(groups: list[RowGroup], columns: list[str]) -> Iterator[pa.Table]:
    """The named columns of each group, text as dictionary arrays; a file is opened once."""
    for _, of_file in itertools.groupby(groups, key=lambda group: group.path):
        of_file = list(of_file)
        with pq.ParquetFile(
            of_file[0].path,
            metadata=of_file[0].metadata,
            read_dictionary=columns,
            memory_map=True,
        ) as file:
            for group in of_file:
                yield file.read_row_group(group.number, columns=columns, use_threads=False)


def row_groups(events: Path) -> list[RowGroup]:
    """All row groups in the order of their rows."""
    groups, start = [], 0
    for path in event_files(events):
        metadata = pq.read_metadata(path)
        for number in range(metadata.num_row_groups):
            groups.append(RowGroup(path, number, metadata, start))
            start += groups[-1].rows
    return groups


def _row_groups_of(
    tables: Iterable[pa.Table], schema: pa.Schema, group_bytes: int | None
) -> Iterator[pa.Table]:
    """The tables joined into row groups; at least one, so that no rows still have a schema."""
    waiting, rows, size, groups = [schema.empty_table()], 0, 0, 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        size += table.nbytes
        if rows >= ROW_GROUP_ROWS or (group_bytes is not None and size >= group_bytes):
            yield pa.concat_tables(waiting)
            waiting, rows, size, groups = [schema.empty_table()], 0, 0, groups + 1
    if rows or not groups:
        yield pa.concat_tables(waiting)


def _coded(table: pa.Table) -> pa.Table:
    columns = [
        column.dictionary_encode() if pa.types.is_string(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def _writer(path: Path, first: pa.Table) -> pq.ParquetWriter:
    """A writer that suits the first row group; readers see plain text, not our dictionaries.

    Integers as bit-packed differences: half the time of a dictionary, which would hash them.
    """
    names = first.column_names
    texts = [name for name in names if pa.types.is_dictionary(first[name].type)]
    integers = [name for name in names if name not in texts]
    return pq.ParquetWriter(
        path,
        first.schema,
        compression={name: "lz4" if name in texts else "none" for name in names},
        use_dictionary=[
            name for name in texts if _distinct(first[name]) <= DISTINCT_SHARE * first.num_rows
        ],
        column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
        dictionary_pagesize_limit=LARGEST_DICTIONARY_BYTES,
        write_statistics=False,
        store_schema=False,
    )


def _distinct(coded: pa.ChunkedArray) -> int:
    return len(coded.chunks[-1].dictionary) if coded.num_chunks else 0
