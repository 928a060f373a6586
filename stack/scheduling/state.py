"""What the scheduler must remember when it, its run or the machine dies: one row per schedule.

A SQLite file beside the ZenML store. Every change is one transaction, flushed to the disk before a
run starts, so that a due time is never forgotten and never claimed by two schedulers at once.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

BUSY_SECONDS = 30.0


@dataclass(frozen=True)
class Memory:
    """Where a schedule stands."""

    schedule: str
    """Its id in ZenML."""
    handled: datetime
    """Due times up to here are done with: run, running, or skipped."""
    due: datetime | None = None
    """The due time whose run is going on or waits for another attempt."""
    failed: int = 0
    """Failed attempts for `due`."""
    retry_at: datetime | None = None
    """When the next attempt may start; None while a run is going on."""
    scheduler: str | None = None
    """Identity of the scheduler that holds the lock, None where nobody does."""
    run: str | None = None
    """Identity of the process that runs the pipeline under this lock."""

    def released(self) -> "Memory":
        """The same without a lock, a due time and attempts."""
        return Memory(self.schedule, self.handled)


COLUMNS = [field.name for field in fields(Memory)]
TIMES = ("handled", "due", "retry_at")


class State:
    """The file with a row per schedule."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS memory ({', '.join(COLUMNS)}, PRIMARY KEY (schedule))"
        )

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def get(self, schedule: str) -> Memory | None:
        """The row of one schedule."""
        names = ", ".join(COLUMNS)
        row = self._connection.execute(
            f"SELECT {names} FROM memory WHERE schedule = ?", (schedule,)
        ).fetchone()
        if row is None:
            return None
        memory = Memory(**dict(zip(COLUMNS, row, strict=True)))
        return replace(memory, **{name: _time(getattr(memory, name)) for name in TIMES})

    def put(self, memory: Memory) -> None:
        """Write the row of one schedule."""
        values = [getattr(memory, name) for name in COLUMNS]
        values = [v.isoformat() if isinstance(v, datetime) else v for v in values]
        marks = ", ".join("?" for _ in COLUMNS)
        self._connection.execute(f"INSERT OR REPLACE INTO memory VALUES ({marks})", values)

    def forget(self, schedule: str) -> None:
        """Drop the row of a deleted schedule."""
        self._connection.execute("DELETE FROM memory WHERE schedule = ?", (schedule,))

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """One transaction that no other scheduler can enter; all or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
