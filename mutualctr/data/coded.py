"""Columns of the events as codes: what a row holds, as a position in a list of distinct values.

Everything that looks at a value (counting, transforms, the vocabulary) then works on the distinct
values of a column, and what is left for the rows is a lookup: id = id_of_value[code].

    row group g:  code_B → position_U[code_B] → the column's values_V
                  U distinct values of the group, and U itself for missing

What rows hold that are set aside is missing here: they may hold anything, and nothing reads it.

Codes are kept while they fit CODES_KEPT_BYTES and read again from the events where they do not, so
memory grows with the distinct values and not with the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from mutualctr.data.event_files import RowGroup, read_groups, row_groups
from mutualctr.data.in_threads import in_threads
from mutualctr.data.split import SET_ASIDE, TRAIN

CODES_KEPT_BYTES = 1 << 30
SMALL = np.uint16
"""Type of the codes of a row group that has few enough distinct values."""


@dataclass(frozen=True)
class CodedColumn:
    """The distinct values of one column, and which of them each row group has."""

    values_V: pa.Array
    """Without missing; in the order in which they first come."""
    train_count_V: np.ndarray
    """How many train rows have the value; int64, 0 for a value only other rows have."""
    position_GU: list[np.ndarray]
    """For each row group its values' positions in values_V, then V for missing."""
    code_GB: list[np.ndarray] | None
    """The codes of the rows, unless they are to be read again."""


@dataclass(frozen=True)
class CodedEvents:
    """The columns that were asked for, over all rows."""

    groups: list[RowGroup]
    part_GB: list[np.ndarray]
    columns: dict[str, CodedColumn]

    def codes(self, number: int, names: list[str]) -> Iterator[np.ndarray]:
        """code_B of each of these columns in one row group."""
        if self.columns[names[0]].code_GB is not None:
            yield from (self.columns[name].code_GB[number] for name in names)
        else:
            table = self.groups[number].read(list(dict.fromkeys(names)))
            yield from (_codes(table[name], self.part_GB[number])[1] for name in names)

    def lookup(self, number: int, name: str, of_value_V: np.ndarray, missing: int) -> np.ndarray:
        """Of each row of the group what `of_value_V` says of its value."""
        (code_B,) = self.codes(number, [name])
        return np.append(of_value_V, missing)[self.columns[name].position_GU[number]][code_B]


def read_coded(events: Path, part_R: np.ndarray, names: list[str]) -> CodedEvents:
    """Read columns of the events once, and count their values over the train rows."""
    groups = row_groups(events)
    part_GB = [part_R[group.start : group.start + group.rows] for group in groups]
    keep = len(part_R) * len(names) * np.dtype(SMALL).itemsize <= CODES_KEPT_BYTES
    columns = in_threads(lambda name: _read(groups, part_GB, name, keep), names)
    return CodedEvents(groups, part_GB, dict(zip(names, columns, strict=True)))


def _read(groups: list[RowGroup], part_GB: list[np.ndarray], name: str, keep: bool) -> CodedColumn:
    values_G, count_G, code_GB = [], [], []
    for table, part_B in zip(read_groups(groups, [name]), part_GB, strict=True):
        values_U, code_B = _codes(table[name], part_B)
        count_U = np.bincount(code_B, weights=part_B == TRAIN, minlength=len(values_U) + 1)[:-1]
        values_G.append(values_U)
        count_G.append(count_U)
        if keep:
            code_GB.append(code_B)
    merged = pa.chunked_array(values_G).dictionary_encode()
    values_V = merged.chunks[-1].dictionary if merged.num_chunks else values_G[0]
    position_N = np.concatenate(
        [np.empty(0, np.int32), *(chunk.indices.to_numpy() for chunk in merged.chunks)]
    )
    del merged
    ends_G = np.cumsum([len(values_U) for values_U in values_G])
    train_count_V = np.zeros(len(values_V), np.int64)
    position_GU = []
    for position_U, count_U in zip(np.split(position_N, ends_G[:-1]), count_G, strict=True):
        np.add.at(train_count_V, position_U, count_U.astype(np.int64))
        position_GU.append(np.append(position_U, np.int32(len(values_V))))
    return CodedColumn(values_V, train_count_V, position_GU, code_GB if keep else None)


def _codes(column: pa.ChunkedArray, part_B: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """The distinct values of a row group's column, and each row's; missing is their number."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    column = column.combine_chunks()
    coded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    values_U, missing = coded.dictionary, len(coded.dictionary)
    code_B = coded.indices.fill_null(missing).to_numpy()
    if (part_B == SET_ASIDE).any():
        code_B = np.where(part_B == SET_ASIDE, missing, code_B)
        used_U = np.zeros(missing + 1, bool)
        used_U[code_B] = True
        values_U = values_U.filter(pa.array(used_U[:missing]))
        used_U[missing] = True
        code_B = (np.cumsum(used_U) - 1)[code_B]
    small = len(values_U) <= np.iinfo(SMALL).max
    return values_U, code_B.astype(SMALL if small else np.int32)
