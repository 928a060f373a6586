"""Peers side by side: on a CPU as many at a time as there are threads, each on a share of them.

A kernel on k threads is not k times as fast, and it waits for the last of them, which a neighbour
on the machine may hold up; k peers on one thread each wait only at the end. Which threads compute a
peer changes no bit of it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import torch

from models.base import ClickModel

EFFICIENCY = 0.87
"""Of threads that share one peer: a step of DeepFM takes 47 ms on one and 27 ms on two."""
Each = Callable[[Callable[[int], Any]], list[Any]]
"""work → [work(0), work(1), …], one for each peer."""


@contextmanager
def side_by_side(peers: Sequence[ClickModel]) -> Iterator[Each]:
    """How to work on every peer in turn, or on many at a time where nothing is shared by them.

    A GPU has an order of its own, and dropout draws from torch's one generator.
    """
    threads = torch.get_num_threads()
    workers = min(len(peers), threads)
    if peers[0].table.device.type != "cpu" or draws(peers) or workers == 1:
        yield lambda work: [work(n) for n in range(len(peers))]
        return
    with ThreadPoolExecutor(workers, "peers") as pool:
        everyone = threading.Barrier(workers)

        def begin() -> None:
            torch.get_num_threads()  # a thread's first question sets its number to the process's
            torch.set_num_threads(threads // workers)
            everyone.wait()

        for begun in [pool.submit(begin) for _ in range(workers)]:
            begun.result()
        # This thread's own team would spin between its kernels, on processors that peers need.
        torch.set_num_threads(1)
        try:
            yield _Shares(pool, workers, len(peers), threads).each
        finally:
            torch.set_num_threads(threads)  # the process's is what anyone set last


def draws(peers: Sequence[ClickModel]) -> bool:
    """Whether a step of these peers draws random numbers."""
    modules = (module for model in peers for module in model.modules())
    return any(module.p for module in modules if isinstance(module, torch.nn.Dropout))


class _Shares:
    """Costly peers alone on all threads, the others beside each other; by what each took last."""

    def __init__(self, pool: ThreadPoolExecutor, workers: int, peers: int, threads: int) -> None:
        self._pool, self._workers, self._threads = pool, workers, threads
        self._seconds = [0.0] * peers

    def each(self, work: Callable[[int], Any]) -> list[Any]:
        """What `work` returns for every peer; raises what it raises, when no peer is at work."""
        dearest = sorted(range(len(self._seconds)), key=lambda n: -self._seconds[n])
        alone = alone_first([self._seconds[n] for n in dearest], self._workers)
        results = {}
        if alone:
            torch.set_num_threads(self._threads)
            results = {n: self._timed(work, n, self._workers * EFFICIENCY) for n in dearest[:alone]}
            torch.set_num_threads(1)
        beside = {n: self._pool.submit(self._timed, work, n, 1.0) for n in dearest[alone:]}
        wait(beside.values())
        results |= {n: future.result() for n, future in beside.items()}
        return [results[n] for n in range(len(results))]

    def _timed(self, work: Callable[[int], Any], n: int, speed: float) -> Any:
        start = time.thread_time()
        result = work(n)
        self._seconds[n] = (time.thread_time() - start) * speed
        return result


def alone_first(seconds: Sequence[float], workers: int) -> int:
    """How many of the peers, dearest first, had better run alone on the threads of all workers.

    `seconds` are those that each takes on one worker's threads, in falling order.
    """

    def ends(alone: int) -> float:
        busy = [0.0] * workers
        for each in seconds[alone:]:
            busy[busy.index(min(busy))] += each
        return sum(seconds[:alone]) / (workers * EFFICIENCY) + max(busy)

    return min(range(len(seconds) + 1), key=ends)
