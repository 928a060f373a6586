"""How often each value of each column occurs: counted per file, summed by Spark."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mutualctr.data.coded import read_coded
from mutualctr.data.on_spark.files import EventFile
from mutualctr.data.on_spark.tasks import rows_of_each
from mutualctr.data.split import DEV, TRAIN

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
