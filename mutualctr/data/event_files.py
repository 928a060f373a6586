"""The events on disk: a folder of Parquet files, one per source file, in the order of their names.

    files/00000.parquet, files/00001.parquet, …

`row` numbers the data rows of all source files together, from 1.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def event_files(events: Path) -> list[Path]:
    """The Parquet files of an events folder, in the order of their rows."""
    files = sorted(events.glob("*.parquet"))
    assert files, f"{events} holds no events"
    return files


def file_name(number: int) -> str:
    """Name of the events of the source file with that number, from 0."""
    return f"{number:05d}.parquet"


def num_rows(events: Path) -> int:
    """Rows of all files together."""
    return sum(pq.read_metadata(file).num_rows for file in event_files(events))


def column_chunks(events: Path, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
    """(first row position, table) for each row group of the events, only the named columns."""
    start = 0
    for path in event_files(events):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=columns)
                yield start, table
                start += table.num_rows
