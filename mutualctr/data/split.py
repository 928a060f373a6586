"""Which rows train, which choose (dev), which judge (test).

A split is one uint8 per row of the events, in the events' order: 0 train, 1 dev, 2 test, 3 set
aside. A row has one entry, so it cannot be in two parts.

    random  exactly 80/10/10 by a seeded permutation
    hash    80/10/10 by a 64-bit hash of the row's id: a row keeps its part when rows are added
    time    the oldest 80 %, the next 10 %, the newest 10 %, with a gap between them if wanted
    files   the parts are files of their own, as in the published x4 splits
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.event_files import (
    column_chunks,
    event_files,
    num_rows,
    read_files_record,
)
from mutualctr.data.hashing import hash_integers, hash_texts
from mutualctr.data.source import resolve_source
from mutualctr.data.tokens import hours_of
from mutualctr.errors import DataError
from mutualctr.files import file_digest, replacing

if TYPE_CHECKING:  # it would bring torch into every executor of Spark
    from mutualctr.config import SplitConfig, SplitFiles

PARTS = ("train", "dev", "test")
TRAIN, DEV, TEST = range(3)
SET_ASIDE = 3
PARTS_FILE = "parts.npy"
MIN_ROWS = 10
SHARES = (0.8, 0.9)
"""Below the first is train, below the second dev, the rest test."""


def split(
    events: Path,
    contract: Contract,
    config: "SplitConfig",
    folder: Path,
    set_aside: np.ndarray | None = None,
) -> dict[str, int]:
    """Assign every row of `events` to a part, write `parts.npy`, return the rows per part.

    `set_aside` has the `row` numbers of rows that belong to no part; the shares are of the others.

    Raises DataError when there are too few rows to fill three parts, and for `files` when a file is
    not the one that was meant.
    """
    part_R = np.full(num_rows(events), TRAIN, dtype=np.uint8)
    if set_aside is not None and len(set_aside):
        part_R[positions_of(events, set_aside)] = SET_ASIDE
    kept_K = np.flatnonzero(part_R != SET_ASIDE)
    check_enough(len(kept_K))
    if config.by == "random":
        part_R[kept_K] = parts_along(np.random.default_rng(config.seed).permutation(len(kept_K)))
    elif config.by == "hash":
        part_R[kept_K] = parts_of_hashes(hash_of_rows(events, config.id, part_R)[kept_K])
    elif config.by == "time":
        time_K = time_of_rows(events, contract, part_R)[kept_K]
        part_R[kept_K] = parts_in_time(time_K, config.gap or 0)
    else:
        part_R[kept_K] = parts_of_files(events, config.files)[kept_K]
    counts = rows_by_part(np.bincount(part_R, minlength=4))
    with replacing(folder / PARTS_FILE) as temporary, temporary.open("wb") as file:
        np.save(file, part_R, allow_pickle=False)
    return counts


def check_enough(rows: int) -> None:
    """Raise DataError where so many rows cannot be split."""
    if rows < MIN_ROWS:
        raise DataError(
            f"The events have {rows} rows and a split into 80/10/10 % needs at least "
            f"{MIN_ROWS}; give more data."
        )


def rows_by_part(count_P: np.ndarray) -> dict[str, int]:
    """Names and counts of the three parts and of what is set aside.

    Raises DataError where a part has no row.
    """
    counts = dict(zip((*PARTS, "set_aside"), count_P.tolist(), strict=True))
    for name in PARTS:
        if not counts[name]:
            raise DataError(f"The split leaves no row for {name}; give more data or a smaller gap.")
    return counts


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


def parts_of_hashes(hash_R: np.ndarray) -> np.ndarray:
    """Train below 0.8 · 2⁶⁴, dev below 0.9 · 2⁶⁴, else test."""
    thresholds = [np.uint64(int(share * 10) * (2**64 // 10)) for share in SHARES]
    return np.searchsorted(thresholds, hash_R, side="right").astype(np.uint8)


def parts_in_time(time_R: np.ndarray, gap: int) -> np.ndarray:
    """80/10/10 along time; equal times keep their order.

    With a gap, rows around each boundary are set aside so that two rows of different parts lie
    more than `gap` apart: those from gap/2 before the first row of the later part to gap/2 after.
    """
    order_R = np.argsort(time_R, kind="stable")
    part_R = parts_along(order_R)
    if gap:
        rows, tenth = len(order_R), len(order_R) // 10
        for first in (rows - 2 * tenth, rows - tenth):
            boundary = time_R[order_R[first]]
            near_R = (time_R >= boundary - gap // 2) & (time_R < boundary + gap - gap // 2)
            part_R[near_R] = SET_ASIDE
    return part_R


def parts_of_files(events: Path, files: "SplitFiles") -> np.ndarray:
    """The part whose file a row came from."""
    rows = [pq.read_metadata(file).num_rows for file in event_files(events)]
    return np.repeat(part_of_each_file(events, files), rows)


def part_of_each_file(events: Path, files: "SplitFiles") -> np.ndarray:
    """The part, uint8, of each file that was read, in their order.

    Every file must have its md5, and the events must be of exactly these three, which
    `files.json` beside the events knows by name and SHA-256.
    """
    ingested = {entry["file"]: entry for entry in read_files_record(events)}
    part_of = {}
    for part, name in enumerate(PARTS):
        given = getattr(files, name)
        path = resolve_source(given.path)
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        if md5 != given.md5:
            raise DataError(
                f"{path}: the {name} file of the split has md5 {md5}, not {given.md5}; get the "
                "file that was meant or correct the md5."
            )
        if ingested.get(path.name, {}).get("sha256") != file_digest(path):
            raise DataError(
                f"{path}: the {name} file of the split is not among the files that were read "
                f"({', '.join(ingested)}); let `source` name the folder of the three files."
            )
        part_of[path.name] = part
    if len(ingested) != len(part_of):
        spare = ", ".join(name for name in ingested if name not in part_of)
        raise DataError(f"The split by files has no part for {spare}; read only its three files.")
    return np.array([part_of[name] for name in ingested], np.uint8)


def hash_of_rows(events: Path, column: str | None, part_R: np.ndarray) -> np.ndarray:
    """hash_R uint64 of a column's values, or of the `row` numbers where it is null.

    Raises DataError for a row without a value: it could not keep its part.
    """
    name = ROW_COLUMN if column is None else column
    problem = "split by a column that every row has"
    hash_R = np.zeros(len(part_R), np.uint64)
    for at_K, values in _kept_values(events, name, part_R, problem):
        if pa.types.is_string(values.type):
            coded = values.dictionary_encode()
            hash_R[at_K] = hash_texts(coded.dictionary)[coded.indices.to_numpy()]
        else:
            hash_R[at_K] = hash_integers(values.to_numpy())
    return hash_R


def time_of_rows(events: Path, contract: Contract, part_R: np.ndarray) -> np.ndarray:
    """time_R int64: the position where the file is in time order, else the column's number.

    A column that the contract calls a calendar hour (YYMMDDHH) is counted in hours. Rows that are
    set aside have time 0. Raises DataError for another row without a time.
    """
    if contract.time == ROW_COLUMN:
        return np.arange(len(part_R))
    in_hours = any(
        rule.rule == "calendar_hour" and rule.column == contract.time
        for rule in contract.expectations
    )
    time_R = np.zeros(len(part_R), np.int64)
    problem = "no split by time and no history can place it"
    for at_K, values in _kept_values(events, contract.time, part_R, problem):
        time_R[at_K] = hours_of(values) if in_hours else values.to_numpy()
    return time_R


def _kept_values(
    events: Path, name: str, part_R: np.ndarray, problem: str
) -> Iterator[tuple[np.ndarray, pa.Array]]:
    """(positions, values) of the rows that are not set aside, which may hold anything."""
    for start, table in column_chunks(events, [name]):
        at_K = np.flatnonzero(part_R[start : start + table.num_rows] != SET_ASIDE)
        values = table[name].combine_chunks().take(pa.array(at_K))
        if values.null_count:
            first = start + at_K[values.is_null().index(True).as_py()]
            raise DataError(f"Row {_row_at(events, first)} has no {name}; {problem}.")
        yield at_K + start, values


def _row_at(events: Path, position: int) -> int:
    """The `row` number at a position."""
    for start, table in column_chunks(events, [ROW_COLUMN]):
        if position < start + table.num_rows:
            return table[ROW_COLUMN][position - start].as_py()
    raise AssertionError(f"there is no row at {position}")


def positions_of(events: Path, rows: np.ndarray) -> np.ndarray:
    """Positions of the rows with these `row` numbers."""
    chunks = [table[ROW_COLUMN].to_numpy() for _, table in column_chunks(events, [ROW_COLUMN])]
    row_R = np.concatenate(chunks)
    positions = np.searchsorted(row_R, rows)
    assert (positions < len(row_R)).all()
    assert (row_R[positions] == rows).all()
    return positions


def read_parts(folder: Path) -> np.ndarray:
    """The part of each row, memory-mapped."""
    return np.load(folder / PARTS_FILE, mmap_mode="r", allow_pickle=False)
