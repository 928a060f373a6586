"""The same function over many items, on as many threads as Arrow was given (OMP_NUM_THREADS)."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

T = TypeVar("T")
R = TypeVar("R")


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results in the order of the items; the first error ends the work that has not begun."""
    with ThreadPoolExecutor(max_workers=pa.cpu_count()) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def in_order(function: Callable[[T], R], items: Iterator[T]) -> Iterator[R]:
    """The results one by one, a few of them made ahead of the caller.

    Errors come in the order of the items, whether an item could not be had or not be worked on.
    """
    pool = ThreadPoolExecutor(max_workers=pa.cpu_count())
    ahead: deque[Future[R]] = deque()
    try:
        try:
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) > pa.cpu_count():
                    yield ahead.popleft().result()
        except Exception:
            # What came before the item that failed may hold the first error.
            for future in ahead:
                future.result()
            raise
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # without waiting, as in read_ahead.py
