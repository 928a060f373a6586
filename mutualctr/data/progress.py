"""How far an ingest is: a bar on a terminal, a line in the log now and then elsewhere."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LOG_SECONDS = 30.0

Advance = Callable[[str, int, int], None]
"""Takes a file's name, how many more of its bytes were read, and the rows they gave."""

log = logging.getLogger(__name__)


@contextmanager
def ingest_progress(total_bytes: int) -> Iterator[Advance]:
    """Yields what the ingest reports to."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _log_lines(total_bytes)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("ingest", total=total_bytes or None, rows=0)

        def advance(name: str, read_bytes: int, rows: int) -> None:
            done = progress.tasks[0].fields["rows"] + rows
            progress.update(task, description=name[-40:], advance=read_bytes, rows=done)

        yield advance


def _log_lines(total_bytes: int) -> Advance:
    done = {"bytes": 0, "rows": 0}
    last = time.monotonic()

    def advance(name: str, read_bytes: int, rows: int) -> None:
        nonlocal last
        done["bytes"] += read_bytes
        done["rows"] += rows
        if time.monotonic() - last >= LOG_SECONDS:
            last = time.monotonic()
            share = f", {100 * done['bytes'] / total_bytes:.0f} %" if total_bytes else ""
            log.info("Ingest: %s rows%s, in %s", f"{done['rows']:,}", share, name)

    return advance
