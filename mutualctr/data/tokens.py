"""How a raw value becomes the token that the vocabulary knows.

Every transform maps a pyarrow array of *distinct* values to an array of text tokens of the same
length; null stays null (missing). Training and serving call the same function, so a value means
the same thing in both. `quantile` has the edges that were fitted on train beside the values.
"""

import datetime
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def category(values: pa.Array) -> pa.Array:
    """The value itself, as text."""
    return values.cast(pa.string())


def log_squared(values: pa.Array) -> pa.Array:
    """x > 2 → floor(ln(x)²), else x: the Criteo winner's bucketing.

    Source: FuxiCTR `fuxictr/datasets/criteo.py`. It is the natural logarithm, squared, although
    several places print it as log2. Like there, a bucket of a large x may share its token with a
    small x (3 → floor(1.207) = 1).
    """

    def token(number_V: np.ndarray) -> np.ndarray:
        bucket_V = np.floor(np.log(np.maximum(number_V, 1)) ** 2).astype(np.int64)
        return np.where(number_V > 2, bucket_V, number_V)

    return _of_numbers(values, token)


def log(values: pa.Array) -> pa.Array:
    """0 → 0, else sign(x) · (1 + floor(log2 |x|)): buckets of 1, 2–3, 4–7, 8–15, …

    Exact for every integer, and no two buckets share a token.
    """
    power_P = 2 ** np.arange(63, dtype=np.int64)

    def token(number_V: np.ndarray) -> np.ndarray:
        return np.sign(number_V) * np.searchsorted(power_P, np.abs(number_V), side="right")

    return _of_numbers(values, token)


def quantile(values: pa.Array, edges: tuple[int, ...]) -> pa.Array:
    """How many of the ascending edges lie below x: edge k−1 < x ≤ edge k → k."""
    return _of_numbers(values, lambda number_V: np.searchsorted(edges, number_V, side="left"))


def quantile_edges(values: pa.Array, count_V: np.ndarray, buckets: int) -> tuple[int, ...]:
    """The upper edges of all buckets but the last, so that each holds about n / buckets rows.

    Edge k is the smallest value that is at least as large as k/buckets of the n rows; a value so
    frequent that it would be several edges is one.
    """
    number_V = values.to_numpy(zero_copy_only=False)
    order_V = np.argsort(number_V)
    rows_V = np.cumsum(count_V[order_V])
    if len(rows_V) == 0 or rows_V[-1] == 0:
        return ()
    wanted_K = -(-np.arange(1, buckets) * rows_V[-1] // buckets)
    at_K = np.searchsorted(rows_V, wanted_K, side="left")
    return tuple(np.unique(number_V[order_V][at_K]).tolist())


def hour_of_day(values: pa.Array) -> pa.Array:
    """YYMMDDHH → HH."""
    return pc.utf8_slice_codeunits(values.cast(pa.string()), 6, 8)


def weekday(values: pa.Array) -> pa.Array:
    """YYMMDDHH → 0 (Monday) … 6 (Sunday)."""
    days = [None if v is None else str(_day(v).weekday()) for v in _text(values)]
    return pa.array(days, pa.string())


def weekend(values: pa.Array) -> pa.Array:
    """YYMMDDHH → 1 on Saturday and Sunday, else 0."""
    flags = [None if v is None else str(int(_day(v).weekday() >= 5)) for v in _text(values)]
    return pa.array(flags, pa.string())


def hours_of(values: pa.Array) -> np.ndarray:
    """YYMMDDHH → hours since 2000-01-01 00 h, int64; no nulls."""
    coded = values.dictionary_encode()
    hour_U = [
        (_day(text) - datetime.date(2000, 1, 1)).days * 24 + int(text[6:])
        for text in coded.dictionary.cast(pa.string()).to_pylist()
    ]
    return np.array(hour_U, np.int64)[coded.indices.to_numpy()]


def _of_numbers(values: pa.Array, token: Callable[[np.ndarray], np.ndarray]) -> pa.Array:
    present = values.is_valid().to_numpy(zero_copy_only=False)
    number_V = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.array(token(number_V), pa.int64(), mask=~present).cast(pa.string())


def _text(values: pa.Array) -> list[str | None]:
    return values.cast(pa.string()).to_pylist()


def _day(value: str) -> datetime.date:
    return datetime.date(2000 + int(value[:2]), int(value[2:4]), int(value[4:6]))


TRANSFORMS: dict[str, Callable[[pa.Array], pa.Array]] = {
    transform.__name__: transform
    for transform in (category, log_squared, log, hour_of_day, weekday, weekend)
}
"""The transforms that need nothing but the value."""
