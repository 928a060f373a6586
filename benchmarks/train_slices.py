"""How a contestant takes turns: it trains one epoch in slices, each when it is told to.

The worker prints `ready` when everything is set up; for every line it reads it trains one slice
of batches and prints its seconds, on the clock and of the processors; after the last slice it
prints its results as JSON.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
DECADE_EPOCHS = 3


class Turns:
    """Called before every batch; waits at the edges of slices."""

    def __init__(self, batches: int, slice_batches: int) -> None:
        self._batches, self._slice = batches, slice_batches
        self._done = 0
        self._started: tuple[float, float] | None = None

    def before_batch(self) -> None:
        """Hand over the turn where a slice ends."""
        if self._done % self._slice == 0:
            self.end_slice()
            say("ready")
            if not sys.stdin.readline():
                sys.exit(0)
            self._started = time.perf_counter(), time.process_time()
        self._done += 1

    def end_slice(self) -> None:
        """Say how long the slice took, and how long its threads ran."""
        if self._started is not None:
            wall, processor = self._started
            say(f"slice {time.perf_counter() - wall} {time.process_time() - processor}")
            self._started = None

    def through(self, batches: Sequence[T], optimizer, lr: float) -> Iterator[T]:
        """The batches at the benchmark's learning rate, lr · 10^(−t/3), whoever trains."""
        for step, batch in enumerate(batches):
            self.before_batch()
            for group in optimizer.param_groups:
                group["lr"] = lr * 10 ** (-step / len(batches) / DECADE_EPOCHS)
            yield batch
        self.end_slice()


def say(line: str) -> None:
    print(line, flush=True, file=sys.__stdout__)


def finish(**results) -> None:
    """The last line of a worker."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say("done " + json.dumps(results | {"rss_mb": round(peak_mb)}))
