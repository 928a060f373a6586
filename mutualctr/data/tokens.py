"""How a raw value becomes the token that the vocabulary knows.

Every transform maps a pyarrow array of *distinct* values to an array of text tokens of the same
length; null stays null (missing). Training and serving call the same function, so a value means
the same thing in both.
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
    present = values.is_valid().to_numpy(zero_copy_only=False)
    number = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    bucket = np.floor(np.log(np.maximum(number, 1)) ** 2).astype(np.int64)
    token = pa.array(np.where(number > 2, bucket, number), mask=~present)
    return token.cast(pa.string())


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


def _text(values: pa.Array) -> list[str | None]:
    return values.cast(pa.string()).to_pylist()


def _day(value: str) -> datetime.date:
    return datetime.date(2000 + int(value[:2]), int(value[2:4]), int(value[4:6]))


TRANSFORMS: dict[str, Callable[[pa.Array], pa.Array]] = {
    transform.__name__: transform
    for transform in (category, log_squared, hour_of_day, weekday, weekend)
}
