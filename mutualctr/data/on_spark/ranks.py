"""Which value stands at a rank of a sorted column that no machine holds: by counting, not sorting.

The executors count how many values lie in each of 4,096 ranges, the driver goes on with the range
in which the rank lies. A range of 2⁴⁰ takes four passes over the column, whatever the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mutualctr.data.on_spark.tasks import result_of_each

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")
RANGES = 4096


@dataclass(frozen=True)
class Boundary:
    """The value at a rank, and how many values are smaller."""

    value: int
    below: int


def value_at(
    session: "SparkSession",
    values_of: Callable[[T], np.ndarray],
    items: Sequence[T],
    ranks: Sequence[int],
) -> list[Boundary]:
    """The values at these ranks (from 0) of all items' int64 values in ascending order."""

    def ends(item: T) -> tuple[int, int] | None:
        value_N = values_of(item)
        return (int(value_N.min()), int(value_N.max())) if len(value_N) else None

    found = [pair for pair in result_of_each(session, ends, items) if pair is not None]
    low, high = min(pair[0] for pair in found), max(pair[1] for pair in found)
    return [_narrow(session, values_of, items, rank, low, high) for rank in ranks]


def _narrow(
    session: "SparkSession",
    values_of: Callable[[T], np.ndarray],
    items: Sequence[T],
    rank: int,
    low: int,
    high: int,
) -> Boundary:
    below = 0
    while True:
        # The ranges are low … first_B[1] − 1, first_B[1] … first_B[2] − 1, …, first_B[-1] … high.
        step = -(-(high - low + 1) // RANGES)
        first_B = np.arange(low, high + 1, step, dtype=np.int64)

        def count(item: T, first_B: np.ndarray = first_B, high: int = high) -> np.ndarray:
            value_N = values_of(item)
            inside_N = value_N[(value_N >= first_B[0]) & (value_N <= high)]
            range_N = np.searchsorted(first_B, inside_N, side="right") - 1
            return np.bincount(range_N, minlength=len(first_B))

        count_B = np.sum(result_of_each(session, count, items), axis=0)
        at = int(np.searchsorted(np.cumsum(count_B), rank - below, side="right"))
        below += int(count_B[:at].sum())
        low, high = int(first_B[at]), min(high, int(first_B[at]) + step - 1)
        if low == high:
            return Boundary(low, below)
