"""Delimited text → typed tables, one per block of lines. Nothing is read from outside here.

Blocks of lines that `source.py` has checked byte by byte are cut by Arrow's CSV reader with every
convenience switched off. Cutting by blocks keeps the number of every line.

Arrow reads integers three times as fast as text that is cast later, but it also takes 0x1F and
blanks around digits. Such an integer needs a blank, a tab or an x; a block that holds none of
these is read the fast way, and every other block as text that is checked and cast. Both ways
accept the same texts.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mutualctr.data.contract import ROW_COLUMN, Column, Contract
from mutualctr.data.in_threads import in_order
from mutualctr.data.malformed import Lines, Malformed, too_long
from mutualctr.data.read_ahead import read_ahead
from mutualctr.data.source import BLOCK_BYTES, Block, LongLine, check, checked
from mutualctr.errors import DataError

WHOLE_NUMBER = "^-?0*[0-9]{1,18}$"
"""Digits that surely fit 64 bits."""
LARGEST = 10**18 - 1
NO_WHOLE_NUMBER = "no whole number of at most 18 digits"
LIBFM_VALUE = "^[0-9]{1,18}:1$"
LIBFM_LABELS = ("-1", "0", "1", "+1")
SEPARATORS = {"\t": "tab", ",": "comma", " ": "blank"}
ATOMIC_TYPES = ("token", "token_seq", "float", "float_seq")
"""RecBole's; what a column is here, the contract says."""

MARK = "\ufeff".encode()

SHOWN_TEXT = 40
"""Characters of an offending text that an error shows."""


def event_schema(contract: Contract) -> pa.Schema:
    """Columns and types of the events: `row`, then the contract's in their order."""
    types = {"integer": pa.int64(), "text": pa.string()}
    fields = [(column.name, types[column.type]) for column in contract.columns]
    return pa.schema([(ROW_COLUMN, pa.int64()), *fields])


def typed_tables(
    blocks: Iterable[Block | LongLine],
    name: str,
    contract: Contract,
    aside: Callable[[Malformed], None] | None = None,
) -> Iterator[pa.Table]:
    """The rows of one file as typed tables, one a block; `row` counts them from 1.

    Raises DataError about the first defect; where there is `aside`, it is given every malformed
    row instead, and the others go on with the numbers that they have. A wrong header always
    raises.
    """
    layout, header_lines = contract.format, int(contract.format.has_header)
    names = [column.name for column in contract.columns]
    blocks = _unmarked(blocks, name)
    if aside is None:
        blocks = checked(blocks, name, layout.separator, names)

    def typed(found: _Found) -> tuple[pa.Table | None, list[Malformed]]:
        block, columns = found
        if isinstance(block, LongLine):
            return None, [too_long(block, header_lines, BLOCK_BYTES)]
        first_row, malformed = block.first_line - header_lines, []
        try:
            if aside is not None:
                check(block, name, layout.separator, columns)
            table = read_typed(block, name, contract, columns)
            rows = np.arange(first_row, first_row + table.num_rows)
        except DataError:
            if aside is None:
                raise
            table, lines = _sift(block, name, contract, columns)
            rows, malformed = first_row + lines.sound(), list(lines.malformed(header_lines))
            assert table.num_rows == len(rows)
        table = pa.table([pa.array(rows), *table.columns], schema=event_schema(contract))
        return table, malformed

    for table, malformed in in_order(typed, read_ahead(_below_header(blocks, name, contract))):
        for row in malformed:
            aside(row)
        if table is not None:
            yield table


_Found = tuple[Block | LongLine, list[str]]
"""A block of rows, and the columns in the order in which they stand in the file."""


def _below_header(
    blocks: Iterable[Block | LongLine], name: str, contract: Contract
) -> Iterator[_Found]:
    columns = [column.name for column in contract.columns]
    for block in blocks:
        if contract.format.has_header and block.first_line == 1:
            check(_first_line(block), name, contract.format.separator, columns)
            block, columns = _cut_header(block, name, contract, columns)
            if not block.data:
                continue
        yield block, columns


def _unmarked(blocks: Iterable[Block | LongLine], name: str) -> Iterator[Block | LongLine]:
    """The blocks without the byte order mark that some programs write in front of a file."""
    for block in blocks:
        if isinstance(block, Block) and block.first_line == 1:
            block = Block(1, block.data.removeprefix(MARK))
            if not block.data:
                raise DataError(f"{name}: the file is empty; give one that has rows.")
        yield block


def read_typed(block: Block, name: str, contract: Contract, columns: list[str]) -> pa.Table:
    """A block's columns with their types; DataError about the first value that is none."""
    if contract.format.kind == "libfm":
        return _libfm(block, name, contract, columns)
    return _typed(block, name, contract, columns)


def _sift(
    block: Block, name: str, contract: Contract, columns: list[str]
) -> tuple[pa.Table, Lines]:
    """The rows of a block that can be read, and all its lines with what is wrong with them."""
    lines = Lines(block)
    lines.find_defects(contract.format.separator, len(columns))
    sound = lines.sound()
    if len(sound):
        text = _cut(
            Block(block.first_line, lines.sound_bytes()),
            contract,
            dict.fromkeys(columns, pa.string()),
        )
        for column in contract.columns:
            wrong, what = _unreadable(text[column.name], column, contract)
            at = np.flatnonzero(wrong.fill_null(False).to_numpy())
            lines.mark(sound[at], f"column {column.name} holds {what}")
    if not len(lines.sound()):
        return event_schema(contract).remove(0).empty_table(), lines
    return read_typed(Block(block.first_line, lines.sound_bytes()), name, contract, columns), lines


def _unreadable(
    text: pa.ChunkedArray, column: Column, contract: Contract
) -> tuple[pa.ChunkedArray, str]:
    """(true where a value cannot be read, null where it is missing; what is wrong with it)."""
    if contract.format.kind == "libfm":
        if column.role == "label":
            return pc.invert(pc.is_in(text, pa.array(LIBFM_LABELS))), "no label ±1"
        return pc.invert(pc.match_substring_regex(text, LIBFM_VALUE)), "no `id:1`"
    if column.type == "integer":
        return pc.invert(pc.match_substring_regex(text, WHOLE_NUMBER)), NO_WHOLE_NUMBER
    return pc.and_(text.is_null(), False), ""


def _libfm(block: Block, name: str, contract: Contract, columns: list[str]) -> pa.Table:
    """Lines `±1 id:1 id:1 …` → label and ids. Other weights than 1 are no categories."""
    try:
        text = _cut(block, contract, dict.fromkeys(columns, pa.string()))
    except pa.ArrowInvalid:
        raise _wrong_width(block, name, contract, len(columns)) from None
    typed = []
    for column in contract.columns:
        values = text[column.name]
        wrong, what = _unreadable(values, column, contract)
        at = pc.index(wrong, True).as_py()
        if at >= 0:
            raise DataError(
                f"{name}: line {block.first_line + at}, column {column.name} has "
                f"`{_shortened(values[at].as_py())}`, {what}; correct or remove the line."
            )
        if column.role == "label":
            values = pc.cast(pc.is_in(values, pa.array(("1", "+1"))), pa.int64())
        else:
            values = pc.utf8_slice_codeunits(values, 0, -2)
        typed.append(pc.cast(values, event_schema(contract).field(column.name).type))
    return pa.table(typed, schema=event_schema(contract).remove(0))


def _first_line(block: Block | LongLine) -> Block | LongLine:
    if isinstance(block, LongLine):
        return block
    return Block(1, block.data[: block.data.find(b"\n") + 1] or block.data)


def _cut_header(
    block: Block, path: str, contract: Contract, expected: list[str]
) -> tuple[Block, list[str]]:
    """The block without the file's first line, and that line's column names."""
    separator = contract.format.separator
    line, _, rows = block.data.partition(b"\n")
    names = line.rstrip(b"\r").decode().split(separator)
    if contract.format.kind == "atomic":
        names = [_atomic_name(name, path) for name in names]
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


def _atomic_name(heading: str, path: str) -> str:
    """`name:type` → name."""
    name, _, kind = heading.rpartition(":")
    if kind not in ATOMIC_TYPES:
        raise DataError(
            f"{path}: line 1, the heading `{_shortened(heading)}` is no name:type with one of the "
            f"types {', '.join(ATOMIC_TYPES)}."
        )
    return name


def _some(names: list[str]) -> str:
    shown = ", ".join(_shortened(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _typed(block: Block, path: str, contract: Contract, columns: list[str]) -> pa.Table:
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
    """Whether all values surely are; what stands where a value is missing is looked at too."""
    for chunk in column.chunks:
        number_B = np.frombuffer(chunk.buffers()[1], np.int64, len(chunk), 8 * chunk.offset)
        if number_B.min(initial=0) < -LARGEST or number_B.max(initial=0) > LARGEST:
            return False
    return True


def _cut(block: Block, contract: Contract, types: dict[str, pa.DataType]) -> pa.Table:
    """Lines → columns of these types, in the order of the file; the missing text → null.

    Raises pa.ArrowInvalid for a line of another width and for a text that is no integer.
    """
    missing = contract.format.missing
    # Arrow takes a byte order mark off whatever begins with one; only a file's is none of its text.
    data = MARK + block.data if block.data.startswith(MARK) else block.data
    table = pa.csv.read_csv(
        pa.py_buffer(data),
        read_options=pa.csv.ReadOptions(
            column_names=list(types), block_size=len(data) + 1, use_threads=False
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter=contract.format.separator, quote_char=False, ignore_empty_lines=False
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types=types,
            null_values=[] if missing is None else [missing],
            strings_can_be_null=True,
            check_utf8=False,  # the block is known to be sound
        ),
    )
    assert table.num_rows == block.lines
    return table


def _wrong_width(block: Block, path: str, contract: Contract, expected: int) -> DataError:
    separator = contract.format.separator.encode()
    for number, line in enumerate(block.data.splitlines(), start=block.first_line):
        found = line.count(separator) + 1
        if found != expected:
            return DataError(
                f"{path}: line {number} has {found} column{'s' * (found > 1)} where contract "
                f"{contract.name} expects {expected}, separated by "
                f"{SEPARATORS[contract.format.separator]}; "
                "correct or remove the line."
            )
    raise AssertionError("Arrow refused a block in which every line has the right width")


def _integers(text: pa.ChunkedArray, column: str, block: Block, path: str) -> pa.ChunkedArray:
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
