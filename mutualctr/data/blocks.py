"""Training-ready rows: int32 ids and labels, memory-mapped, one folder per part.

blocks/train/ids.npy    int32 [rows, F]   ids of the one embedding table
blocks/train/label.npy  uint8 [rows]
blocks/train/row.npy    int64 [rows]      line of the source file the row came from
blocks/features/        the feature map that made the ids (features.json, vocabulary.csv)
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.lib.format import open_memmap

from mutualctr.data.coded import CodedEvents
from mutualctr.data.contract import ROW_COLUMN, Contract, Sequence
from mutualctr.data.features import FeatureMap, item_ids
from mutualctr.data.in_threads import in_threads
from mutualctr.data.layout import MISSING, PADDING, SequenceLayout
from mutualctr.data.sequences import ClickHistory, clicks_and_times, last_items
from mutualctr.data.split import PARTS

FEATURES = "features"
ARRAYS = ("ids", "label", "row")


class History(Protocol):
    """Where the earlier items of rows are found (`sequences.ClickHistory`)."""

    def last(self, rows: slice, length: int) -> np.ndarray:
        """local_ids_BL int32 of these rows, counted from the first of the events."""


@dataclass(frozen=True)
class Block:
    """One part of the data; arrays are memory-mapped and read-only."""

    ids_RF: np.ndarray
    label_R: np.ndarray
    row_R: np.ndarray

    @property
    def rows(self) -> int:
        return len(self.label_R)


def write_blocks(
    events: Path,
    coded: CodedEvents,
    part_R: np.ndarray,
    feature_map: FeatureMap,
    contract: Contract,
    folder: Path,
) -> None:
    """Encode every row of the events into the block of its part, one row group at a time.

    Rows that the split set aside are in no block.
    """
    create_blocks(folder, rows_per_part(part_R), feature_map.num_fields)
    start_P = np.zeros(len(PARTS), np.int64)
    fill_blocks(events, coded, part_R, feature_map, contract, folder, start_P)


def rows_per_part(part_R: np.ndarray) -> np.ndarray:
    """rows_P of train, dev, test."""
    return np.array([np.count_nonzero(part_R == part) for part in range(len(PARTS))])


def create_blocks(folder: Path, rows_P: np.ndarray, num_fields: int) -> None:
    """The arrays of the three parts, empty."""
    for name, rows in zip(PARTS, rows_P.tolist(), strict=True):
        (folder / name).mkdir(parents=True)
        for array, dtype, shape in (
            ("ids", np.int32, (rows, num_fields)),
            ("label", np.uint8, (rows,)),
            ("row", np.int64, (rows,)),
        ):
            open_memmap(folder / name / f"{array}.npy", mode="w+", dtype=dtype, shape=shape)


def fill_blocks(
    events: Path,
    coded: CodedEvents,
    part_R: np.ndarray,
    feature_map: FeatureMap,
    contract: Contract,
    folder: Path,
    start_P: np.ndarray,
    histories: Mapping[str, History] = MappingProxyType({}),
) -> None:
    """Encode the events into arrays that are there, in each from the row `start_P`.

    Several processes may fill theirs at the same time, each with events of its own; what users
    did before lies in the events of all, so then `histories` has it, by the names of sequences.
    """
    encoders = _encoders(events, coded, part_R, feature_map, contract, histories)
    part_GB = [part_R[group.start : group.start + group.rows] for group in coded.groups]
    rows_GP = np.stack([rows_per_part(part_B) for part_B in part_GB])
    start_GP = start_P + np.cumsum(rows_GP, axis=0) - rows_GP
    with ExitStack() as stack:
        outputs = [stack.enter_context(_Output(folder / name)) for name in PARTS]
        scratch = _Scratch(feature_map.num_fields)

        def write(number: int) -> None:
            group = coded.groups[number]
            ids_FB, ids_BF = scratch.of(group.rows)
            for encode in encoders:
                encode(number, ids_FB)
            np.copyto(ids_BF, ids_FB.T)
            table = group.read([contract.label, ROW_COLUMN])
            label_B = table[contract.label].fill_null(MISSING_LABEL).to_numpy()
            row_B = table[ROW_COLUMN].to_numpy()
            for part, output in enumerate(outputs):
                chosen = np.flatnonzero(part_GB[number] == part)
                assert (label_B[chosen] != MISSING_LABEL).all(), (
                    "validation lets no label be missing"
                )
                rows = (np.take(x_B, chosen, axis=0) for x_B in (ids_BF, label_B, row_B))
                output.write(start_GP[number, part], *rows)

        in_threads(write, range(len(coded.groups)))
        in_threads(_Output.flush, outputs)


MISSING_LABEL = 255


def open_block(folder: Path, part: str) -> Block:
    """Map one part's arrays."""
    arrays = (
        np.load(folder / part / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS
    )
    return Block(*arrays)


Encoder = Callable[[int, np.ndarray], None]
"""Fills its rows of ids_FB for the row group of that number."""


def _encoders(
    events: Path,
    coded: CodedEvents,
    part_R: np.ndarray,
    feature_map: FeatureMap,
    contract: Contract,
    histories: Mapping[str, History],
) -> list[Encoder]:
    encoders = [_plain_fields(coded, feature_map)]
    for sequence, layout in zip(feature_map.sequence_features, feature_map.sequences, strict=True):
        if sequence.columns is not None:
            encoders.append(_item_columns(coded, feature_map, sequence, layout))
        else:
            history = histories.get(sequence.name) or _history(
                events, coded, part_R, feature_map, contract, sequence, layout
            )
            encoders.append(_clicked_before(coded, history, layout))
    return encoders


def _plain_fields(coded: CodedEvents, feature_map: FeatureMap) -> Encoder:
    columns = [field.feature.column for field in feature_map.fields]

    def ids_of_values(f: int) -> np.ndarray:
        """Id in the one table of each of the column's values, then that of missing."""
        local_V = feature_map.fields[f].ids_of(coded.columns[columns[f]].values_V)
        return np.append(local_V, np.int32(MISSING)) + feature_map.offset_F[f]

    id_FV = in_threads(ids_of_values, range(len(columns)))

    def encode(number: int, ids_FB: np.ndarray) -> None:
        for f, code_B in enumerate(coded.codes(number, columns)):
            id_U = id_FV[f][coded.columns[columns[f]].position_GU[number]]
            np.take(id_U, code_B, out=ids_FB[f], mode="clip")

    return encode


def _item_columns(
    coded: CodedEvents, feature_map: FeatureMap, sequence: Sequence, layout: SequenceLayout
) -> Encoder:
    field = feature_map.fields[layout.target]
    id_CV = [item_ids(field, sequence, coded.columns[name].values_V) for name in sequence.columns]

    def encode(number: int, ids_FB: np.ndarray) -> None:
        items_CB = [
            coded.lookup(number, name, id_V, PADDING)
            for name, id_V in zip(sequence.columns, id_CV, strict=True)
        ]
        ids_BL = last_items(np.stack(items_CB, axis=1), layout.length)
        ids_FB[layout.start : layout.start + layout.length] = (ids_BL + layout.padding_id).T

    return encode


def _clicked_before(coded: CodedEvents, history: History, layout: SequenceLayout) -> Encoder:
    def encode(number: int, ids_FB: np.ndarray) -> None:
        group = coded.groups[number]
        ids_BL = history.last(slice(group.start, group.start + group.rows), layout.length)
        ids_FB[layout.start : layout.start + layout.length] = (ids_BL + layout.padding_id).T

    return encode


def _history(
    events: Path,
    coded: CodedEvents,
    part_R: np.ndarray,
    feature_map: FeatureMap,
    contract: Contract,
    sequence: Sequence,
    layout: SequenceLayout,
) -> ClickHistory:
    field = feature_map.fields[layout.target]
    item_V = field.ids_of(coded.columns[field.feature.column].values_V)
    user_V = np.arange(len(coded.columns[sequence.user].values_V))

    def of_all_rows(name: str, of_value_V: np.ndarray, missing: int) -> np.ndarray:
        numbers = range(len(coded.groups))
        return np.concatenate([coded.lookup(n, name, of_value_V, missing) for n in numbers])

    clicked_R, time_R = clicks_and_times(events, contract, part_R)
    return ClickHistory(
        user_R=of_all_rows(sequence.user, user_V, -1),
        time_R=time_R,
        item_R=of_all_rows(field.feature.column, item_V, PADDING),
        clicked_R=clicked_R,
        part_R=np.asarray(part_R),
    )


class _Scratch(threading.local):
    """Two arrays a thread, used again for each row group: the kernel clears fresh memory."""

    def __init__(self, num_fields: int):
        self._fields = num_fields
        self._one = self._other = np.empty(0, np.int32)

    def of(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """ids_FB and ids_BF of so many rows, holding anything."""
        size = rows * self._fields
        if len(self._one) < size:
            self._one, self._other = np.empty(size, np.int32), np.empty(size, np.int32)
        return (
            self._one[:size].reshape(self._fields, rows),
            self._other[:size].reshape(rows, self._fields),
        )


class _Output:
    """The three files of one part; threads write theirs at the place of their row group."""

    def __init__(self, folder: Path):
        paths = [folder / f"{name}.npy" for name in ARRAYS]
        self._arrays = [open_memmap(path, mode="r") for path in paths]
        self._files = [path.open("r+b", buffering=0) for path in paths]

    def __enter__(self) -> "_Output":
        return self

    def write(self, start: int, *rows: np.ndarray) -> None:
        """Rows of all three arrays from position `start`.

        Written and not assigned to the mapped array, whose pages would count as our memory.
        """
        for array, file, values in zip(self._arrays, self._files, rows, strict=True):
            data = memoryview(np.ascontiguousarray(values, array.dtype).reshape(-1).view(np.uint8))
            row_bytes = array.dtype.itemsize * int(np.prod(array.shape[1:]))
            written, at = 0, array.offset + int(start) * row_bytes
            while written < len(data):
                written += os.pwrite(file.fileno(), data[written:], at + written)

    def flush(self) -> None:
        """Wait until the rows are on the disk."""
        for file in self._files:
            os.fsync(file.fileno())

    def __exit__(self, *exception: object) -> None:
        for file in self._files:
            file.close()
