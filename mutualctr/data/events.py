"""Ingest: a raw click log becomes files/00000.parquet, typed as its contract says and nothing else.

One pass in bounded memory: blocks of lines are checked byte by byte (`source.py`), cut into text
by Arrow's CSV reader with every convenience switched off, cast strictly, and written. Arrow does
what DuckDB's reader does not: it verifies the checksum of gzip data, and cutting by blocks keeps
the number of every line.
"""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.event_files import file_name
from mutualctr.data.source import Block, check_compression, fingerprint, read_blocks
from mutualctr.errors import DataError
from mutualctr.files import replacing

WHOLE_NUMBER = "^-?[0-9]{1,18}$"
"""Digits that surely fit 64 bits. Arrow alone would also take 0x1F and blanks around digits."""

ROW_GROUP_ROWS = 1 << 17
SHOWN_TEXT = 40
"""Characters of an offending text that an error shows."""

T = TypeVar("T")


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
            rows = _write(_read_ahead(_tables(path, contract)), _schema(contract), temporary)
        except DataError:
            check_compression(path)  # damaged data are the cause of whatever rows they hold
            raise
        if rows == 0:
            raise DataError(f"{path}: there is a header but no row; give a file that has rows.")
    with pq.ParquetFile(target) as written:
        assert written.metadata.num_rows == rows
    return EventsInfo(target.parent, rows, sha256, tuple(_schema(contract).names))


def _schema(contract: Contract) -> pa.Schema:
    types = {"integer": pa.int64(), "text": pa.string()}
    fields = [(column.name, types[column.type]) for column in contract.columns]
    return pa.schema([(ROW_COLUMN, pa.int64()), *fields])


def _read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; the next one is made in a thread while the caller works on this one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item


def _write(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> int:
    """Write the tables as one Parquet file in large row groups; returns how many rows."""
    rows, waiting = 0, []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in tables:
            waiting.append(table)
            if sum(t.num_rows for t in waiting) >= ROW_GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting), row_group_size=2 * ROW_GROUP_ROWS)
                waiting = []
            rows += table.num_rows
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=2 * ROW_GROUP_ROWS)
    return rows


def _tables(path: Path, contract: Contract) -> Iterator[pa.Table]:
    """The file's rows as typed tables, one a block."""
    separator = contract.format.separator
    columns = [column.name for column in contract.columns]
    header_lines = int(contract.format.header)
    for block in _read_ahead(read_blocks(path, separator, columns)):
        if contract.format.header and block.first_line == 1:
            block, columns = _cut_header(block, path, separator, columns)
            if not block.data:
                continue
        text = _cut(block, path, contract, columns)
        first_row = block.first_line - header_lines
        numbers = np.arange(first_row, first_row + text.num_rows)
        typed = [
            _integers(text[column.name], column.name, block, path)
            if column.type == "integer"
            else text[column.name]
            for column in contract.columns
        ]
        yield pa.table([numbers, *typed], schema=_schema(contract))


def _cut_header(
    block: Block, path: Path, separator: str, expected: list[str]
) -> tuple[Block, list[str]]:
    """The block without the file's first line, and that line's column names."""
    line, _, rows = block.data.partition(b"\n")
    names = line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r").decode().split(separator)
    if sorted(names) != sorted(expected):
        absent = [name for name in expected if name not in names]
        strange = list(dict.fromkeys(name for name in names if name not in expected))
        doubled = list(dict.fromkeys(name for name in names if names.count(name) > 1))
        problems = [
            f"{what} {_some(which)}"
            for what, which in (
                ("lacks", absent),
                ("has the unexpected", strange),
                ("repeats", doubled),
            )
            if which
        ]
        raise DataError(
            f"{path}: line 1, the header {' and '.join(problems)}; its columns must be "
            f"{separator.join(expected)}."
        )
    return Block(2, rows), names


def _some(names: list[str]) -> str:
    shown = ", ".join(_shortened(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _cut(block: Block, path: Path, contract: Contract, columns: list[str]) -> pa.Table:
    """Lines → columns of text; the missing text → null."""
    try:
        text = pa.csv.read_csv(
            pa.py_buffer(block.data),
            read_options=pa.csv.ReadOptions(column_names=columns, block_size=len(block.data) + 1),
            parse_options=pa.csv.ParseOptions(
                delimiter=contract.format.separator, quote_char=False, ignore_empty_lines=False
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=[contract.format.missing],
                strings_can_be_null=True,
                check_utf8=False,  # the block is known to be sound
            ),
        )
    except pa.ArrowInvalid:
        raise _wrong_width(block, path, contract, len(columns)) from None
    assert text.num_rows == block.lines
    return text


def _wrong_width(block: Block, path: Path, contract: Contract, expected: int) -> DataError:
    separator = contract.format.separator.encode()
    for number, line in enumerate(block.data.splitlines(), start=block.first_line):
        found = line.count(separator) + 1
        if found != expected:
            return DataError(
                f"{path}: line {number} has {found} column{'s' * (found > 1)} where contract "
                f"{contract.name} expects {expected}, separated by {contract.format.delimiter}; "
                "correct or remove the line."
            )
    raise AssertionError("Arrow refused a block in which every line has the right width")


def _integers(text: pa.ChunkedArray, column: str, block: Block, path: Path) -> pa.ChunkedArray:
    """Text → int64, or an error that shows the first text that is no whole number."""
    plain = pc.all(pc.ascii_is_decimal(text)).as_py() is not False
    short = (pc.max(pc.binary_length(text)).as_py() or 0) <= 18
    if not (plain and short):
        wrong = pc.invert(pc.match_substring_regex(text, WHOLE_NUMBER))
        at = pc.index(wrong, True).as_py()
        if at >= 0:
            raise DataError(
                f"{path}: line {block.first_line + at}, column {column} has "
                f"`{_shortened(text[at].as_py())}`, not a whole number of at most 18 digits; "
                "correct the value or leave it empty."
            )
    return pc.cast(text, pa.int64())


def _shortened(text: str) -> str:
    text = re.sub(r"\s", " ", text)
    return text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "…"
