"""Rows that come as typed columns (Parquet files, tables) → the contract's columns.

Columns are found by name. Types are not guessed: an integer is an integer of any width, a text is
text, either may be dictionary-encoded; anything else is refused with its name.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mutualctr.data.contract import Column, Contract
from mutualctr.data.delimited import LARGEST, NO_WHOLE_NUMBER, event_schema
from mutualctr.data.malformed import Malformed, is_utf8
from mutualctr.data.source import BLOCK_BYTES, SHOWN_BYTES
from mutualctr.errors import DataError

BATCH_BYTES = 16 << 20
"""About as many bytes of a Parquet file are unpacked at once."""


def parquet_batches(
    path: Path, name: str, contract: Contract
) -> tuple[int, Iterator[pa.RecordBatch]]:
    """(rows, batches with the contract's columns) of a Parquet file.

    Raises DataError: no Parquet file or a damaged one, a column too few, too many or twice.
    """
    try:
        file = pq.ParquetFile(path, memory_map=True, pre_buffer=False)
        names = file.schema_arrow.names
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from None
    expected = [column.name for column in contract.columns]
    if sorted(names) != sorted(expected):
        lacks = [column for column in expected if column not in names]
        strange = [column for column in names if column not in expected or names.count(column) > 1]
        what = f"lacks the column {lacks[0]}" if lacks else f"has the unexpected {strange[0]}"
        raise DataError(
            f"{name}: it {what}; its columns must be {', '.join(expected)}, in any order."
        )
    rows = file.metadata.num_rows
    groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
    row_bytes = max((g.total_byte_size / g.num_rows for g in groups if g.num_rows), default=1)
    batch_rows = int(min(1 << 16, max(1, BATCH_BYTES // max(1, row_bytes))))

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            with file:
                yield from file.iter_batches(batch_rows, columns=expected, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(name, error) from None

    return rows, batches()


def typed_batches(
    batches: Iterable[pa.RecordBatch],
    name: str,
    contract: Contract,
    aside: Callable[[Malformed], None] | None = None,
) -> Iterator[pa.Table]:
    """Batches → typed tables; `row` counts from 1.

    Raises DataError for a column of another type; and for a value that cannot be kept (text that
    is no UTF-8, holds NUL or is longer than a line may be; a number of more than 18 digits), which
    is given to `aside` instead where there is one.
    """
    schema = event_schema(contract)
    start = 1
    for batch in batches:
        rule_B = np.full(batch.num_rows, "", dtype=object)
        columns = []
        for column in contract.columns:
            values = _plain(batch.column(column.name), column, name)
            defects = _integer_defects(values) if column.type == "integer" else text_defects(values)
            for wrong_B, what in defects:
                rule_B[wrong_B & (rule_B == "")] = f"column {column.name} holds {what}"
            if column.type == "text" and contract.format.missing is not None:
                values = pc.if_else(
                    pc.equal(values, _scalar(contract.format.missing)), None, values
                )
            columns.append(values)
        wrong = np.flatnonzero(rule_B != "")
        for at in wrong.tolist():
            if aside is None:
                raise DataError(
                    f"{name}: row {start + at}, {rule_B[at]}; correct the value or remove the row."
                )
            aside(Malformed(start + at, None, rule_B[at], _shown(columns, at)))
        rows = np.arange(start, start + batch.num_rows)
        start += batch.num_rows
        if len(wrong):
            kept = pa.array(rule_B == "")
            columns, rows = [values.filter(kept) for values in columns], rows[rule_B == ""]
        typed = [
            values.cast(pa.int64()) if column.type == "integer" else values.cast(pa.string())
            for column, values in zip(contract.columns, columns, strict=True)
        ]
        yield pa.table([pa.array(rows), *typed], schema=schema)


def text_defects(values: pa.Array) -> list[tuple[np.ndarray, str]]:
    """For binary values: (which rows, what is wrong), each only where it occurs."""
    defects = []
    length = pc.fill_null(pc.binary_length(values), 0)
    if (pc.max(length).as_py() or 0) > BLOCK_BYTES:
        long_B = pc.greater(length, BLOCK_BYTES)
        defects.append((_mask(long_B), f"text of more than {BLOCK_BYTES:,} bytes"))
    # Arrow searches bytes for a NUL as it searches text for any other character.
    nul_B = pc.match_substring(values, b"\0")
    if pc.any(nul_B).as_py():
        defects.append((_mask(pc.fill_null(nul_B, False)), "a NUL byte"))
    try:
        values.cast(pa.large_string())
    except pa.ArrowInvalid:
        unsound_B = [value is not None and not is_utf8(value) for value in values.to_pylist()]
        defects.append((np.array(unsound_B), "bytes that are not UTF-8"))
    return defects


def _integer_defects(values: pa.Array) -> list[tuple[np.ndarray, str]]:
    bounds = pc.min_max(values).as_py()
    if bounds["min"] is None or (bounds["min"] >= -LARGEST and bounds["max"] <= LARGEST):
        return []
    limit = pa.scalar(LARGEST, values.type)
    outside = pc.greater(values, limit)
    if pa.types.is_signed_integer(values.type):
        outside = pc.or_(outside, pc.less(values, pa.scalar(-LARGEST, values.type)))
    return [(_mask(pc.fill_null(outside, False)), NO_WHOLE_NUMBER)]


def _plain(values: pa.Array, column: Column, name: str) -> pa.Array:
    """Integers as they are; text as bytes, since files may claim UTF-8 and hold anything."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if column.type == "integer" and pa.types.is_integer(kind):
        return values
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if column.type == "text" and any(is_text(kind) for is_text in text):
        return values.cast(pa.large_string()).cast(pa.large_binary())
    raise DataError(
        f"{name}: column {column.name} is of the type {kind}, the contract says {column.type}; "
        f"store it as {'an integer' if column.type == 'integer' else 'text'} or correct the "
        "contract."
    )


def _mask(values: pa.Array) -> np.ndarray:
    return values.to_numpy(zero_copy_only=False).astype(bool)


def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text.encode(), pa.large_binary())


def _shown(columns: list[pa.Array], at: int) -> bytes:
    values = (column[at].as_py() for column in columns)
    texts = (b"" if v is None else v if isinstance(v, bytes) else str(v).encode() for v in values)
    return b"\t".join(text[:SHOWN_BYTES] for text in texts)[:SHOWN_BYTES]


def _damaged(name: str, error: Exception) -> DataError:
    reason = str(error).splitlines()[0][:200].rstrip(".")
    return DataError(
        f"{name}: it is no Parquet file or a damaged one ({reason}); copy or write it again."
    )
