"""Millions of rows in the shape of Criteo's train.txt, fast; for questions of size only.

A category draws its token by rank = ⌊S^u⌋, u uniform: the density falls as 1/rank up to the support
S. With the supports below, 45.8 M rows hold about as many distinct tokens a column as the
published file. Labels are coin flips; `mutualctr/data/synthetic.py` has clicks one can learn.

    python -m benchmarks.criteo_rows FILE ROWS
"""

import os
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from mutualctr.data.synthetic import CATEGORIES, NUMBERS
from mutualctr.files import replacing

CHUNK_ROWS = 100_000
CLICK_SHARE = 0.2562
SUPPORTS = (
    1460, 580, 45_000_000, 4_400_000, 305, 24, 12_500, 630, 3, 95_000, 5700, 34_000_000, 3200, 27,
    15_000, 17_000_000, 10, 5650, 2170, 4, 26_000_000, 18, 15, 330_000, 105, 145_000,
)  # fmt: skip
"""One entry a category."""
HEX = np.array([f"{byte:02x}" for byte in range(256)], "S2").view(np.uint16)
"""Two digits a byte."""


def write_criteo(path: Path, rows: int, seed: int) -> None:
    """Write `rows` rows as raw TSV; the same rows and seed write the same bytes."""
    chunks = deque(
        (number, min(CHUNK_ROWS, rows - start))
        for number, start in enumerate(range(0, rows, CHUNK_ROWS))
    )
    workers = os.cpu_count() or 1
    with (
        replacing(path) as temporary,
        temporary.open("wb") as file,
        ThreadPoolExecutor(workers) as pool,
    ):
        underway = deque()
        while chunks or underway:
            while chunks and len(underway) <= workers:
                underway.append(pool.submit(_chunk, seed, *chunks.popleft()))
            file.write(underway.popleft().result())


def _chunk(seed: int, number: int, rows: int) -> memoryview:
    draw = np.random.default_rng([seed, number])
    columns = [pa.array((draw.random(rows) < CLICK_SHARE).view(np.int8))]
    for mean, sd, missing_share in NUMBERS:
        value_B = np.exp(draw.standard_normal(rows, np.float32) * sd + mean).astype(np.int64)
        columns.append(pa.array(value_B, mask=draw.random(rows) < missing_share))
    for column, (support, (_, missing_share)) in enumerate(zip(SUPPORTS, CATEGORIES, strict=True)):
        rank_B = np.exp(draw.random(rows) * np.log(support)).astype(np.uint32)
        present_B = draw.random(rows) >= missing_share
        columns.append(_hex_texts(rank_B, column, present_B))
    table = pa.table(columns, names=[str(position) for position in range(len(columns))])
    sink = pa.BufferOutputStream()
    options = pa.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    pa.csv.write_csv(table, sink, options)
    return memoryview(sink.getvalue())


def _hex_texts(rank_B: np.ndarray, column: int, present_B: np.ndarray) -> pa.Array:
    """Eight hexadecimal digits a row: an odd multiplier permutes the 32-bit numbers."""
    word_B = (rank_B + np.uint32(column)) * np.uint32(2_654_435_761 + 2 * column)
    text = HEX[word_B.view(np.uint8)]
    offsets = pa.py_buffer(np.arange(0, 8 * len(rank_B) + 1, 8, dtype=np.int32))
    validity = pa.py_buffer(np.packbits(present_B, bitorder="little"))
    return pa.StringArray.from_buffers(len(rank_B), offsets, pa.py_buffer(text), validity)


if __name__ == "__main__":
    write_criteo(Path(sys.argv[1]), int(sys.argv[2]), seed=1)
