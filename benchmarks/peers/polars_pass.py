"""A plain Polars pass over a raw Criteo file, as a mark: what a part of the work takes at best.

    python polars_pass.py FILE

Reads typed columns, codes every text in the order in which it comes and buckets every number. It
checks nothing, counts nothing, keeps no vocabulary, splits nothing and writes nothing. Prints the
seconds.
"""

import os
import sys
import time

os.environ["POLARS_MAX_THREADS"] = os.environ["OMP_NUM_THREADS"]
import polars as pl

NUMBERS = [f"I{i}" for i in range(1, 14)]
CATEGORIES = [f"C{i}" for i in range(1, 27)]


def run(path: str) -> pl.DataFrame:
    names = ["label", *NUMBERS, *CATEGORIES]
    types = [pl.String if name in CATEGORIES else pl.Int64 for name in names]
    rows = pl.read_csv(
        path,
        separator="\t",
        has_header=False,
        quote_char=None,
        new_columns=names,
        schema_overrides=types,
    )
    squared_log = (pl.col(NUMBERS).cast(pl.Float64).log() ** 2).floor()
    buckets = pl.when(pl.col(NUMBERS) > 2).then(squared_log).otherwise(pl.col(NUMBERS))
    codes = pl.col(CATEGORIES).cast(pl.Categorical).to_physical()
    return rows.select(pl.col("label"), buckets.fill_null(-1).cast(pl.Int32), codes)


if __name__ == "__main__":
    start = time.perf_counter()
    run(sys.argv[1])
    print(time.perf_counter() - start)
