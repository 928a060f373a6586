"""The snapshot of `mutualctr/data/snapshot.py`, counted by the executors.

Of numbers the distinct values come to the driver with their counts, of each category the most
frequent ones, or those that the reference holds.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from mutualctr.data.contract import Contract
from mutualctr.data.on_spark.files import files_of
from mutualctr.data.on_spark.validation import frame_of
from mutualctr.data.on_spark.values import counted_values, rows_kept
from mutualctr.data.snapshot import (
    KEPT_VALUES,
    VERSION,
    CategoryCounts,
    NumberCounts,
    Snapshot,
    columns_of,
    number_counts,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def take_snapshot(
    session: "SparkSession",
    events: Path,
    without: Path | None,
    contract: Contract,
    reference: Snapshot | None,
) -> Snapshot:
    """Count all rows less those in the quarantine file `without`, in the bins of `reference`."""
    rows, clicks = _totals(session, events, without, contract)
    numbers, categories = columns_of(contract, "number"), columns_of(contract, "category")
    names = numbers + categories
    counted = counted_values(session, files_of(events), names, lambda f: rows_kept(f, without))
    counted = counted.persist()
    try:
        present = {row["name"]: row["rows"] for row in _present(counted).collect()}
        number_counts = counted.where(counted["name"].isin(numbers)).toArrow()
        category_counts = _chosen(
            session, counted.where(counted["name"].isin(categories)), reference
        ).toArrow()
    finally:
        counted.unpersist()

    def number(name: str) -> NumberCounts:
        edges = None if reference is None else reference.numbers[name].edges
        return _number(_of_name(number_counts, name), rows, edges)

    def category(name: str) -> CategoryCounts:
        values = None if reference is None else reference.categories[name].values
        missing = rows - present.get(name, 0)
        return _category(_of_name(category_counts, name), rows, missing, values)

    return Snapshot(
        version=VERSION,
        contract=contract.name,
        rows=rows,
        clicks=clicks,
        numbers={name: number(name) for name in numbers},
        categories={name: category(name) for name in categories},
    )


def _totals(
    session: "SparkSession", events: Path, without: Path | None, contract: Contract
) -> tuple[int, int]:
    """(rows, clicks)."""
    from pyspark.sql import functions as sql

    frame = frame_of(session, events, without)
    clicks = sql.sum(frame[f"`{contract.label}`"]) if contract.has_label else sql.lit(0)
    rows, found = frame.agg(sql.count(sql.lit(1)), clicks).first()
    return rows, found or 0


def _present(counted: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as sql

    return counted.groupBy("name").agg(sql.sum("rows").alias("rows"))


def _chosen(
    session: "SparkSession", counted: "DataFrame", reference: Snapshot | None
) -> "DataFrame":
    """The most frequent values of each column, or those that the reference holds."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    if reference is not None:
        pairs = [(name, v) for name, kept in reference.categories.items() for v in kept.values]
        names, values = zip(*pairs, strict=True) if pairs else ((), ())
        table = {"name": pa.array(names, pa.string()), "value": pa.array(values, pa.string())}
        return counted.join(session.createDataFrame(pa.table(table)), ["name", "value"])
    order = Window.partitionBy("name").orderBy(sql.desc("rows"), "value")
    ranked = counted.withColumn("rank", sql.row_number().over(order))
    return ranked.where(ranked["rank"] <= KEPT_VALUES).drop("rank")


def _of_name(counts: pa.Table, name: str) -> pa.Table:
    """Its values, the most frequent first."""
    of_name = counts.filter(pa.compute.equal(counts["name"], name))
    return of_name.sort_by([("rows", "descending"), ("value", "ascending")])


def _number(counts: pa.Table, rows: int, edges: tuple[float, ...] | None) -> NumberCounts:
    values = counts["value"].cast(pa.int64()).combine_chunks()
    return number_counts(values, counts["rows"].to_numpy(), rows, edges)


def _category(
    counts: pa.Table, rows: int, missing: int, values: tuple[str, ...] | None
) -> CategoryCounts:
    count_of = dict(zip(counts["value"].to_pylist(), counts["rows"].to_pylist(), strict=True))
    values = tuple(count_of) if values is None else values
    kept = tuple(count_of.get(value, 0) for value in values)
    return CategoryCounts(
        missing=missing, values=values, counts=kept, others=rows - missing - sum(kept)
    )
