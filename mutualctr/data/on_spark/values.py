"""How often each value of each column occurs: counted per file, summed by Spark."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.coded import read_coded
from mutualctr.data.contract import ROW_COLUMN
from mutualctr.data.on_spark.files import EventFile
from mutualctr.data.on_spark.tasks import rows_of_each
from mutualctr.data.split import DEV, TRAIN, positions_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = "name string, value string, rows bigint"


def counted_values(
    session: "SparkSession",
    files: Sequence[EventFile],
    names: list[str],
    kept: Callable[[EventFile], np.ndarray],
) -> "DataFrame":
    """name, value (as text, never missing), rows: over the rows of each file that `kept` marks."""

    def of_file(file: EventFile) -> pa.Table:
        part_B = np.where(kept(file), TRAIN, DEV).astype(np.uint8)
        coded = read_coded(file.path, part_B, names)
        tables = [
            counts_table(name, column.values_V.cast(pa.string()), column.train_count_V)
            for name, column in coded.columns.items()
        ]
        return pa.concat_tables(tables)

    return summed(rows_of_each(session, of_file, files, SCHEMA))


def rows_kept(file: EventFile, without: Path | None) -> np.ndarray:
    """kept_R of one file: all rows but those in the quarantine file `without`."""
    kept_R = np.ones(file.rows, bool)
    if without is not None:
        inside = [(ROW_COLUMN, ">=", file.first_row), (ROW_COLUMN, "<", file.end_row)]
        aside = pq.read_table(without, columns=[ROW_COLUMN], filters=inside)
        kept_R[positions_of(file.path, aside[ROW_COLUMN].to_numpy())] = False
    return kept_R


def counts_table(name: str, values_V: pa.Array, count_V: np.ndarray) -> pa.Table:
    """The values that occur, in the columns of SCHEMA."""
    occurs_V = count_V > 0
    values_V, count_V = values_V.filter(pa.array(occurs_V)), count_V[occurs_V]
    names = pa.repeat(name, len(values_V))
    return pa.table({"name": names, "value": values_V, "rows": count_V})


def summed(counted: "DataFrame") -> "DataFrame":
    """One row for each name and value."""
    from pyspark.sql import functions as sql

    return counted.groupBy("name", "value").agg(sql.sum("rows").alias("rows"))
