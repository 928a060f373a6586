"""The same function over many items, on as many threads as Arrow was given (OMP_NUM_THREADS)."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
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
