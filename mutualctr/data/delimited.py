"""Delimited text → typed tables, one per block of lines. Nothing is read from outside here.

Blocks of lines that `source.py` has checked byte by byte are cut by Arrow's CSV reader with every
convenience switched off. Cutting by blocks keeps the number of every line.

Arrow reads integers three times as fast as text that is cast later, but it also takes 0x1F and
blanks around digits. Such an integer needs a blank, a tab or an x; a block that holds none of
these is read the fast way, and every other block as text that is checked and cast. Both ways
accept the same texts.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.read_ahead import read_ahead
from mutualctr.data.source import Block, read_blocks
from mutualctr.errors import DataError

WHOLE_NUMBER = "^-?0*[0-9]{1,18}$"
"""Digits that surely fit 64 bits."""
LARGEST = 10**18 - 1

SHOWN_TEXT = 40
"""Characters of an offending text that an error shows."""


def event_schema(contract: Contract) -> pa.Schema:
    """Columns and types of the events: `row`, then the contract's in their order."""
    types = {"integer": pa.int64(), "text": pa.string()}
    fields = [(column.name, types[column.type]) for column in contract.columns]
    return pa.schema([(ROW_COLUMN, pa.int64()), *fields])


def typed_tables(path: Path, contract: Contract) -> Iterator[pa.Table]:
    """The file's rows as typed tables, one a block."""
    separator = contract.format.separator
    columns = [column.name for column in contract.columns]
    header_lines = int(contract.format.header)
    for block in read_ahead(read_blocks(path, separator, columns)):
        if contract.format.header and block.first_line == 1:
            block, columns = _cut_header(block, path, separator, columns)
            if not block.data:
                continue
        table = _typed(block, path, contract, columns)
        first_row = block.first_line - header_lines
        numbers = pa.array(np.arange(first_row, first_row + table.num_rows))
        yield pa.table([numbers, *table.columns], schema=event_schema(contract))


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


def _typed(block: Block, path: Path, contract: Contract, columns: list[str]) -> pa.Table:
    """Lines → the contract's columns with their types, in the contract's order."""
    schema = event_schema(contract).remove(0)
    integers = [column.name for column in contract.columns if column.type == "integer"]
    types = {name: schema.field(name).type for name in columns}
    if not _resembles_lenient_integers(block.data, contract.format.separator):
        try:
            table = _cut(block, contract, types)
        except pa.ArrowInvalid:
            pass  # the slow way says which line, column and text it is
        else:
            if all(_in_range(table[name]) for name in integers):
                return table.select(schema.names)
    try:
        text = _cut(block, contract, dict.fromkeys(columns, pa.string()))
    except pa.ArrowInvalid:
        raise _wrong_width(block, path, contract, len(columns)) from None
    return pa.table(
        [
            _integers(text[name], name, block, path) if name in integers else text[name]
            for name in schema.names
        ],
        schema=schema,
    )


def _resembles_lenient_integers(data: bytes, separator: str) -> bool:
    """Whether some byte is there without which Arrow takes no text that we refuse."""
    return any(byte in data for byte in (b" ", b"\t", b"x", b"X") if byte != separator.encode())


def _in_range(column: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(column).as_py()
    return bounds["min"] is None or (bounds["min"] >= -LARGEST and bounds["max"] <= LARGEST)


def _cut(block: Block, contract: Contract, types: dict[str, pa.DataType]) -> pa.Table:
    """Lines → columns of these types, in the order of the file; the missing text → null.

    Raises pa.ArrowInvalid for a line of another width and for a text that is no integer.
    """
    table = pa.csv.read_csv(
        pa.py_buffer(block.data),
        read_options=pa.csv.ReadOptions(
            column_names=list(types), block_size=len(block.data) + 1, use_threads=False
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter=contract.format.separator, quote_char=False, ignore_empty_lines=False
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types=types,
            null_values=[contract.format.missing],
            strings_can_be_null=True,
            check_utf8=False,  # the block is known to be sound
        ),
    )
    assert table.num_rows == block.lines
    return table


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
