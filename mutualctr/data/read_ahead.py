"""Two things at a time: the next item is made while the caller works on this one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; the next one is made in a thread while the caller works on this one."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        upcoming = pool.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = pool.submit(next, items, None)
            yield item
    finally:
        # Without waiting: a generator that was dropped is closed by whatever thread collects it,
        # and one of Arrow's that waits there for a thread to end stops the whole process.
        pool.shutdown(wait=False, cancel_futures=True)
