"""How far a study or a search is: a bar on a terminal, a line per step elsewhere."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yields what is called with (done, in all, what was done last); `what` is in the plural."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total, name: logger.info("%d of %d %s: %s", done, total, what, name)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(what),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total, name: progress.update(
            task, completed=done, total=total, description=name
        )
