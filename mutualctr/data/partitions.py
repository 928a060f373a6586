"""Which of the daily files a run reads, and whether any of them is news.

Partitions are files in the order of their names. What tells one from another is its path below the
source folder, so both `2026-03-29.tsv.gz` and `day=2026-03-29/part-0.parquet` work; the day is the
first date in it. The mark of a successful run is the last partition it read: a partition behind
the mark is new. One that arrives late, before the mark, is read with the next new one if it still
lies in the window, and starts no run of its own.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from mutualctr.closed import Closed
from mutualctr.errors import DataError

if TYPE_CHECKING:  # it would bring torch into every executor of Spark
    from mutualctr.config import WindowConfig

DAY = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)")


class Selection(Closed):
    """What one run reads."""

    partitions: tuple[str, ...]
    """In order; never empty."""
    new: int
    """How many of them lie behind the last success's mark."""

    @property
    def mark(self) -> str:
        """What the next run compares with if this one succeeds."""
        return self.partitions[-1]


def select(
    partitions: Sequence[str], window: "WindowConfig | None", last_mark: str | None
) -> Selection:
    """The partitions to read: the newest `days` days, or all where there is no window.

    `days` counts back from the newest partition, which is day 1, not from today: a late delivery
    does not shrink the window. `last_mark` None: nothing was read yet, everything is new.
    Raises DataError where there is no partition, or a window and a name without a day.
    """
    if not partitions:
        raise DataError("The source has no partitions; put a file there or correct `data.source`.")
    names = sorted(partitions, key=lambda name: _place(name, window))
    if window is not None:
        first = _day_of(names[-1]) - timedelta(days=window.days - 1)
        names = [name for name in names if _day_of(name) >= first]
    new = names
    if last_mark is not None:
        new = [name for name in names if _place(name, window) > _place(last_mark, window)]
    return Selection(partitions=tuple(names), new=len(new))


def _place(name: str, window: "WindowConfig | None") -> tuple[date, str]:
    """Names alone decide the order without a window; with one, the day does, then the name."""
    return (date.min if window is None else _day_of(name), name)


def day_in(name: str) -> date | None:
    """The first date in the name; None where there is none."""
    for match in DAY.finditer(name):
        try:
            return date(*map(int, match.groups()))
        except ValueError:
            continue
    return None


def _day_of(name: str) -> date:
    day = day_in(name)
    if day is None:
        raise DataError(
            f"Partition {name} has no day such as 2026-03-29 in its name; rename it, or leave out "
            "`data.window` to read all partitions."
        )
    return day
