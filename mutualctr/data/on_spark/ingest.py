"""Ingest: each source file is a task that reads it with the library's own reader.

The number of a file's first row depends on all files before it, so their rows are counted first,
without reading them as rows: lines, or what the footer of a Parquet file says. The counts are
kept beside the finished files.
"""

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from mutualctr.data import kept_files
from mutualctr.data.columnar import parquet_batches
from mutualctr.data.events import Entry, FileReader, Part, is_parquet, on_disk
from mutualctr.data.on_spark.files import check_shared
from mutualctr.data.on_spark.tasks import result_of_each
from mutualctr.data.source import BLOCK_BYTES, Counted
from mutualctr.data.stored import Reading, StoredFile, plain_bytes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COUNT_FILE = "rows.json"


def read_files(session: "SparkSession", reader: FileReader, parts: Sequence[Part]) -> list[Entry]:
    """The entries of all files, made by the executors in a folder that they share."""
    reader.keep.mkdir(parents=True, exist_ok=True)

    def count(part: Part) -> int:
        check_shared(reader.keep)
        return count_rows(reader, part)

    def read(numbered: tuple[Part, int]) -> Entry:
        check_shared(reader.keep)
        return reader.entry(*numbered, advance=lambda *progress: None)

    rows = result_of_each(session, count, parts[:-1])  # nobody comes after the last
    first_rows = accumulate(rows, initial=1)
    entries = result_of_each(session, read, list(zip(parts, first_rows, strict=True)))
    for expected, (_, info) in zip(rows, entries, strict=False):
        assert expected == info.rows + info.malformed, f"{info.file}: counted {expected} rows"
    return entries


def count_rows(reader: FileReader, file: StoredFile) -> int:
    """Rows of one file, malformed ones included."""
    key = reader.key_of(file, COUNT_FILE)
    found = kept_files.find(reader.keep, key)
    if found is None:
        with kept_files.making(reader.keep, key) as fresh:
            rows = _rows_of(reader, file, fresh)
            (fresh / COUNT_FILE).write_text(json.dumps(rows), encoding="utf-8")
        found = reader.keep / key
    return json.loads((found / COUNT_FILE).read_text(encoding="utf-8"))


def _rows_of(reader: FileReader, file: StoredFile, folder: Path) -> int:
    if is_parquet(file, reader.contract):
        path, _ = on_disk(file, folder)
        rows, _ = parquet_batches(path, file.name, reader.contract.of_file(None))
        if path.parent == folder:
            path.unlink()
        return rows
    reading, counted = Reading(file), Counted()
    try:
        for chunk in plain_bytes(file, reading, BLOCK_BYTES):
            counted.see(chunk)
    finally:
        reading.finish()
    return max(0, counted.lines - int(reader.contract.format.has_header))
