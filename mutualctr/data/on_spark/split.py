"""The split of `mutualctr/data/split.py`: each task writes the parts of one file's rows.

hash    a function of the row
files   a function of the file
time    a function of the row's time, its place among rows of that time and two boundaries
random  the one permutation of all rows, drawn by the driver: nine bytes a row of its memory
"""

import tempfile
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.format import open_memmap

from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.on_spark.files import EventFile, check_shared, files_of
from mutualctr.data.on_spark.ranks import value_at
from mutualctr.data.on_spark.tasks import result_of_each
from mutualctr.data.split import (
    PARTS_FILE,
    SET_ASIDE,
    TRAIN,
    check_enough,
    hash_of_rows,
    part_of_each_file,
    parts_along,
    parts_of_hashes,
    positions_of,
    rows_by_part,
    time_of_rows,
)
from mutualctr.files import replacing

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from mutualctr.config import SplitConfig

ASIDE_FILE, DRAWN_FILE = "aside.npy", "drawn.npy"

PartsOfFile = Callable[[EventFile, np.ndarray], np.ndarray]
"""(file, its part_R that knows the rows set aside) → part_K of the others; in an executor."""


def split(
    session: "SparkSession",
    events: Path,
    contract: Contract,
    config: "SplitConfig",
    folder: Path,
    set_aside: np.ndarray,
) -> dict[str, int]:
    """Assign every row of `events` to a part, write `parts.npy`, return the rows per part.

    Raises DataError as the split on one machine does.
    """
    files = files_of(events)
    rows = sum(file.rows for file in files)
    check_enough(rows - len(set_aside))
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".split-") as temporary,
        replacing(folder / PARTS_FILE) as parts,
    ):
        shared = Path(temporary)
        np.save(shared / ASIDE_FILE, set_aside, allow_pickle=False)
        open_memmap(parts, mode="w+", dtype=np.uint8, shape=(rows,))
        part_of = _rule(session, events, contract, config, files, set_aside, shared)

        def write(file: EventFile) -> np.ndarray:
            check_shared(shared)
            part_R = _marked(file, shared)
            part_R[part_R != SET_ASIDE] = part_of(file, part_R)
            array = open_memmap(parts, mode="r+")
            array[file.place] = part_R
            array.flush()
            return np.bincount(part_R, minlength=4)

        return rows_by_part(np.sum(result_of_each(session, write, files), axis=0))


def _marked(file: EventFile, shared: Path) -> np.ndarray:
    """part_R of one file in which only the rows that are set aside are known."""
    part_R = np.full(file.rows, TRAIN, dtype=np.uint8)
    aside = np.load(shared / ASIDE_FILE, mmap_mode="r", allow_pickle=False)
    part_R[positions_of(file.path, aside[_rows_within(file, aside)])] = SET_ASIDE
    return part_R


def _rows_within(file: EventFile, row_A: np.ndarray) -> slice:
    """Which of these ascending `row` numbers are of that file."""
    return slice(*np.searchsorted(row_A, [file.first_row, file.end_row]))


def _rule(
    session: "SparkSession",
    events: Path,
    contract: Contract,
    config: "SplitConfig",
    files: list[EventFile],
    set_aside: np.ndarray,
    shared: Path,
) -> PartsOfFile:
    if config.by == "hash":
        column = config.id
        return lambda file, part_R: parts_of_hashes(
            hash_of_rows(file.path, column, part_R)[part_R != SET_ASIDE]
        )
    if config.by == "files":
        part_N = part_of_each_file(events, config.files)
        return lambda file, part_R: part_N[file.number]
    kept_N = [file.rows - len(set_aside[_rows_within(file, set_aside)]) for file in files]
    if config.by == "random":
        order = np.random.default_rng(config.seed).permutation(sum(kept_N))
        np.save(shared / DRAWN_FILE, parts_along(order), allow_pickle=False)
        start_of = dict(
            zip((file.number for file in files), accumulate(kept_N, initial=0), strict=False)
        )

        def drawn(file: EventFile, part_R: np.ndarray) -> np.ndarray:
            start, kept = start_of[file.number], np.count_nonzero(part_R != SET_ASIDE)
            return np.load(shared / DRAWN_FILE, mmap_mode="r")[start : start + kept]

        return drawn
    return _in_time(session, contract, config.gap or 0, files, sum(kept_N), shared)


def _in_time(
    session: "SparkSession",
    contract: Contract,
    gap: int,
    files: list[EventFile],
    kept: int,
    shared: Path,
) -> PartsOfFile:
    """80/10/10 along time as `split.parts_in_time` cuts it; equal times keep their order.

    Of the rows with the time of a boundary, those with a rank behind it belong to the later part.
    """

    def time_of(file: EventFile, part_R: np.ndarray) -> np.ndarray:
        time_R = time_of_rows(file.path, contract, part_R)
        if contract.time == ROW_COLUMN:
            time_R = time_R + file.start
        return time_R[part_R != SET_ASIDE]

    def read_time(file: EventFile) -> np.ndarray:
        return time_of(file, _marked(file, shared))

    ranks = [kept - 2 * (kept // 10), kept - kept // 10]
    boundaries = value_at(session, read_time, files, ranks)
    values = np.array([boundary.value for boundary in boundaries])
    below = np.array([boundary.below for boundary in boundaries])

    def ties(file: EventFile) -> np.ndarray:
        return np.count_nonzero(read_time(file) == values[:, None], axis=1)

    tie_NP = np.array(result_of_each(session, ties, files))
    before_NP = np.cumsum(tie_NP, axis=0) - tie_NP
    before_of = {file.number: before_P for file, before_P in zip(files, before_NP, strict=True)}

    def part_of(file: EventFile, part_R: np.ndarray) -> np.ndarray:
        time_K = time_of(file, part_R)
        part_K = np.full(len(time_K), TRAIN, dtype=np.uint8)
        for boundary, value in enumerate(values):
            same_K = time_K == value
            rank_K = below[boundary] + before_of[file.number][boundary] + np.cumsum(same_K) - 1
            part_K += (time_K > value) | (same_K & (rank_K >= ranks[boundary]))
        for value in values if gap else ():
            part_K[(time_K >= value - gap // 2) & (time_K < value + gap - gap // 2)] = SET_ASIDE
        return part_K

    return part_of
