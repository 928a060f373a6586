"""Columns that the source's own files do not have: a derived label, columns of joined files."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.delimited import event_schema, typed_tables
from mutualctr.data.malformed import Malformed
from mutualctr.data.source import cut_lines, open_bytes
from mutualctr.data.stored import StoredFile
from mutualctr.errors import DataError

NUMBER = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"


def complete(
    tables: Iterator[pa.Table],
    name: str,
    contract: Contract,
    attributes: dict[str, pa.Table],
    header_lines: int | None,
    aside: Callable[[Malformed], None] | None,
) -> Iterator[pa.Table]:
    """Tables of a file's own columns → tables of all columns of the contract, in its order.

    `header_lines` stand before the first row; null where a row is no line. A row whose key is
    missing or not in the joined file has no values there. Raises DataError, or gives the row to
    `aside`, where a label is derived from what is no number.
    """
    schema = event_schema(contract)
    for table in tables:
        columns = dict(zip(table.column_names, table.columns, strict=True))
        for column in contract.columns:
            if column.derived is None:
                continue
            values = columns[column.derived.column]
            wrong_B = not_numbers(values)
            if wrong_B.any():
                for at in np.flatnonzero(wrong_B).tolist():
                    row = table[ROW_COLUMN][at].as_py()
                    line = None if header_lines is None else row + header_lines
                    where = f"row {row}" if line is None else f"line {line}"
                    text = values[at].as_py()
                    rule = f"column {column.derived.column} holds no number"
                    if aside is None:
                        raise DataError(
                            f"{name}: {where}, {rule} but `{text[:40]}`, from which "
                            f"{column.name} is derived; correct it or leave it empty."
                        )
                    aside(Malformed(row, line, rule, text.encode()))
                kept = pa.array(~wrong_B)
                columns = {key: column.filter(kept) for key, column in columns.items()}
                values = columns[column.derived.column]
            columns[column.name] = at_least(values, column.derived.at_least)
        for entry in contract.joined:
            joined = attributes[entry.file]
            at = pc.index_in(columns[entry.key], value_set=joined[entry.key])
            for other in joined.column_names:
                if other not in (ROW_COLUMN, entry.key):
                    columns[other] = joined[other].take(at)
        yield pa.table([columns[field.name] for field in schema], schema=schema)


def read_attributes(file: StoredFile, name: str, contract: Contract) -> pa.Table:
    """A joined file, whole: it is held in memory while the source is read.

    Raises DataError: any malformed row, a key that is missing or there twice.
    """
    own = contract.of_file(name)
    key = own.columns[0].name
    tables = typed_tables(cut_lines(open_bytes(file), file.name), file.name, own)
    table = pa.concat_tables([event_schema(own).empty_table(), *tables]).combine_chunks()
    counts = table[key].value_counts()
    for entry in counts:
        if entry["values"].as_py() is None or entry["counts"].as_py() > 1:
            raise DataError(
                f"{file.name}: the {key} {entry['values']} stands in {entry['counts']} rows, so "
                "what it joins is not known; give each row a key of its own."
            )
    return table


def at_least(values: pa.ChunkedArray, threshold: float) -> pa.ChunkedArray:
    """1 where the number is at least `threshold`, else 0; missing stays missing."""
    return pc.cast(pc.greater_equal(pc.cast(values, pa.float64()), threshold), pa.int64())


def not_numbers(values: pa.ChunkedArray) -> np.ndarray:
    """True for texts that are no decimal number."""
    if pa.types.is_integer(values.type):
        return np.zeros(len(values), dtype=bool)
    wrong = pc.invert(pc.match_substring_regex(values, NUMBER))
    return pc.fill_null(wrong, False).to_numpy()
