"""Training-ready rows: int32 ids and labels, memory-mapped, one folder per part.

blocks/train/ids.npy    int32 [rows, F]   ids of the one embedding table
blocks/train/label.npy  uint8 [rows]
blocks/train/row.npy    int64 [rows]      line of the source file the row came from
blocks/features/        the feature map that made the ids (features.json, vocabulary.csv)
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from mutualctr.data.contract import Contract
from mutualctr.data.event_files import column_chunks
from mutualctr.data.features import FeatureMap
from mutualctr.data.split import PARTS, SET_ASIDE


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
    events: Path, part_R: np.ndarray, feature_map: FeatureMap, contract: Contract, folder: Path
) -> None:
    """Encode every row of the events into the block of its part, one row group at a time.

    Rows that were set aside are dropped before anything reads their values.
    """
    rows = np.bincount(part_R[part_R != SET_ASIDE], minlength=len(PARTS)).tolist()
    outputs = [
        _create(folder / name, n, len(feature_map.fields))
        for name, n in zip(PARTS, rows, strict=True)
    ]
    written = [0] * len(PARTS)
    feature_columns = [field.feature.column for field in feature_map.fields]
    columns = list(dict.fromkeys([contract.label, "row", *feature_columns]))
    for start, table in column_chunks(events, columns):
        part_B = part_R[start : start + table.num_rows]
        if (part_B == SET_ASIDE).any():
            table = table.filter(part_B != SET_ASIDE)
            part_B = part_B[part_B != SET_ASIDE]
        ids_BF = feature_map.encode_table(table)
        label_B = table[contract.label].to_numpy()
        row_B = table["row"].to_numpy()
        for part, block in enumerate(outputs):
            chosen = np.flatnonzero(part_B == part)
            here = slice(written[part], written[part] + len(chosen))
            block.ids_RF[here] = ids_BF[chosen]
            block.label_R[here] = label_B[chosen]
            block.row_R[here] = row_B[chosen]
            written[part] += len(chosen)
    assert written == rows
    for block in outputs:
        for array in (block.ids_RF, block.label_R, block.row_R):
            array.flush()


def open_block(folder: Path, part: str) -> Block:
    """Map one part's arrays."""
    arrays = (
        np.load(folder / part / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in ("ids", "label", "row")
    )
    return Block(*arrays)


def _create(folder: Path, rows: int, fields: int) -> Block:
    folder.mkdir(parents=True)
    shapes = {
        "ids": (np.int32, (rows, fields)),
        "label": (np.uint8, (rows,)),
        "row": (np.int64, (rows,)),
    }
    arrays = (
        open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)
        for name, (dtype, shape) in shapes.items()
    )
    return Block(*arrays)
