"""One Spark task per item, for functions of the library that know nothing of Spark."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from mutualctr.errors import UserError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

T = TypeVar("T")
R = TypeVar("R")


def result_of_each(
    session: "SparkSession", function: Callable[[T], R], items: Sequence[T]
) -> list[R]:
    """The results, small ones, in the order of the items.

    A sentence of ours comes back as a result, so that Spark does not try again what cannot get
    better; that of the first item which has one is raised, whichever task ended first.
    """
    if not items:
        return []
    results = session.sparkContext.parallelize(items, len(items)).map(_caught(function)).collect()
    for result in results:
        if isinstance(result, UserError):
            raise result
    return results


def _caught(function: Callable[[T], R]) -> Callable[[T], R | UserError]:
    def caught(item: T) -> R | UserError:
        try:
            return function(item)
        except UserError as error:
            return error

    return caught


def rows_of_each(
    session: "SparkSession",
    function: Callable[[T], pa.Table],
    items: Sequence[T],
    schema: str,
) -> "DataFrame":
    """The rows of all tables in one frame; `schema` in Spark's words."""

    def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["id"].to_pylist():
                yield from function(items[number]).to_batches(max_chunksize=1 << 16)

    numbers = session.range(0, len(items), 1, max(1, len(items)))
    return numbers.mapInArrow(rows, schema)
