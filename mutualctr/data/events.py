"""Ingest: a raw click log becomes files/00000.parquet, typed as its contract says and nothing else.

One pass in bounded memory: blocks of lines are checked byte by byte (`source.py`), cut and cast
(`delimited.py`), and written. Arrow does what DuckDB's reader does not: it verifies the checksum
of gzip data.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from mutualctr.data.contract import Contract
from mutualctr.data.delimited import event_schema, typed_tables
from mutualctr.data.event_files import FILES_RECORD, file_name, write_file
from mutualctr.data.source import check_compression, fingerprint
from mutualctr.errors import DataError
from mutualctr.files import replacing


@dataclass(frozen=True)
class EventsInfo:
    """What ingest wrote and from what."""

    files: Path
    """Folder of the Parquet files (`event_files.py`)."""
    rows: int
    sha256: str
    """Of the source file as it lies on the disk."""
    columns: tuple[str, ...]
    """Of the Parquet file: `row`, then the contract's in their order."""


def ingest(path: Path, contract: Contract, folder: Path) -> EventsInfo:
    """Read a delimited file (plain, .gz or .zst) into `folder/files/00000.parquet`.

    Integer columns become int64, the others text; the contract's missing text (for both) becomes
    null; the order of the file is kept. `row` numbers the data rows from 1. Values are not
    judged here: a label of 2 is an integer, and the contract's expectations speak of it later.

    Raises DataError with file, line, column and rule: see `source.read_blocks`, and a wrong
    header, a line with too few or too many values, text in an integer column, no rows.
    """
    sha256 = fingerprint(path) if path.is_file() else ""
    target = folder / "files" / file_name(0)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        try:
            rows = write_file(typed_tables(path, contract), event_schema(contract), temporary)
        except DataError:
            check_compression(path)  # damaged data are the cause of whatever rows they hold
            raise
        if rows == 0:
            raise DataError(f"{path}: there is a header but no row; give a file that has rows.")
    with pq.ParquetFile(target) as written:
        assert written.metadata.num_rows == rows
    record = [{"file": path.name, "sha256": sha256, "first_row": 1, "rows": rows}]
    with replacing(folder / FILES_RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return EventsInfo(target.parent, rows, sha256, tuple(event_schema(contract).names))
