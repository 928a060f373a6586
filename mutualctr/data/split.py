"""Which rows train, which choose (dev), which judge (test): 80 %, 10 %, 10 %.

A split is one uint8 per row of the events, in the events' order: 0 train, 1 dev, 2 test, 3 set
aside by the validation. A row has one entry, so it cannot be in two parts.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from mutualctr.config import SplitConfig
from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.event_files import column_chunks, num_rows
from mutualctr.errors import DataError
from mutualctr.files import replacing

PARTS = ("train", "dev", "test")
TRAIN, DEV, TEST, SET_ASIDE = range(4)
PARTS_FILE = "parts.npy"
MIN_ROWS = 10


def split(
    events: Path,
    contract: Contract,
    config: SplitConfig,
    folder: Path,
    set_aside: np.ndarray | None = None,
) -> dict[str, int]:
    """Assign every row of `events` to a part, write `parts.npy`, return the rows per part.

    `set_aside` holds the numbers (column `row`) of rows that belong to no part.
    Raises DataError when there are too few rows to fill three parts.
    """
    rows = num_rows(events)
    kept_R = np.ones(rows, dtype=bool)
    if set_aside is not None and len(set_aside):
        for start, table in column_chunks(events, [ROW_COLUMN]):
            kept_R[start : start + table.num_rows] = ~np.isin(table[ROW_COLUMN], set_aside)
        assert rows - kept_R.sum() == len(set_aside)
    if kept_R.sum() < MIN_ROWS:
        raise DataError(
            f"The events have {kept_R.sum()} rows and a split into 80/10/10 % needs at least "
            f"{MIN_ROWS}; give more data."
        )
    if config.by == "random":
        order_R = np.random.default_rng(config.seed).permutation(rows)
    else:
        order_R = time_order(events, contract, rows)
    order_R = order_R[kept_R[order_R]]
    part_R = np.full(rows, SET_ASIDE, dtype=np.uint8)
    part_R[order_R] = parts_along(np.arange(len(order_R)))
    with replacing(folder / PARTS_FILE) as temporary, temporary.open("wb") as file:
        np.save(file, part_R, allow_pickle=False)
    return dict(zip(PARTS, np.bincount(part_R, minlength=4).tolist(), strict=False))


def parts_along(order_R: np.ndarray) -> np.ndarray:
    """Give the first 80 % of `order_R` to train, the next 10 % to dev, the rest to test.

    Dev and test hold floor(rows / 10) rows each; train takes what rounding leaves over.
    """
    rows = len(order_R)
    tenth = rows // 10
    part_R = np.full(rows, TRAIN, dtype=np.uint8)
    part_R[order_R[rows - 2 * tenth : rows - tenth]] = DEV
    part_R[order_R[rows - tenth :]] = TEST
    return part_R


def time_order(events: Path, contract: Contract, rows: int) -> np.ndarray:
    """Row positions from oldest to newest; the file's order decides between equal times."""
    if contract.time == "row":
        return np.arange(rows)
    chunks = [table for _, table in column_chunks(events, [contract.time])]
    time_R = pa.concat_tables(chunks)[contract.time].to_numpy()
    return np.argsort(time_R, kind="stable")


def read_parts(folder: Path) -> np.ndarray:
    """The part of each row, memory-mapped."""
    return np.load(folder / PARTS_FILE, mmap_mode="r", allow_pickle=False)
