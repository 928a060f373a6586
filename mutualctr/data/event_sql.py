"""The events as DuckDB sees them."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from mutualctr.data.contract import ROW_COLUMN
from mutualctr.data.duckdb_dialect import READ_METADATA_ONCE
from mutualctr.data.rules import sql_text

MEMORY_LIMIT = "4GB"
"""Beyond it DuckDB writes to the temporary folder."""


def select_events(events: Path, without: Path | None = None) -> str:
    """A query for all rows of the events, less those in the quarantine file where one is given.

    `events` is their folder, or one of its files.
    """
    files = events if events.is_file() else events / "*.parquet"
    return _select(sql_text(str(files)), without)


def select_files(files: Sequence[Path], without: Path | None) -> str:
    """The same for some of the files alone."""
    return _select(f"[{', '.join(sql_text(str(file)) for file in files)}]", without)


def _select(files: str, without: Path | None) -> str:
    rows = f"SELECT * FROM read_parquet({files})"
    if without is None:
        return rows
    aside = f'SELECT "{ROW_COLUMN}" FROM read_parquet({sql_text(str(without))})'
    return f'{rows} WHERE "{ROW_COLUMN}" NOT IN ({aside})'


@contextmanager
def view_of(selected: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of bounded memory in which `events` is the query `selected`."""
    with tempfile.TemporaryDirectory() as spill:
        config = {"memory_limit": MEMORY_LIMIT, "temp_directory": spill}
        with duckdb.connect(config=config) as connection:
            connection.execute(READ_METADATA_ONCE)
            connection.execute(f"CREATE VIEW events AS {selected}")
            yield connection
