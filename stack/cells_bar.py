"""How far a study is: a bar on a terminal, a line per cell elsewhere."""

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
def cells_bar() -> Iterator[Callable[[int, int, str], None]]:
    """Yields what `run_study` reports to."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total, name: logger.info("%d of %d cells: %s", done, total, name)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
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
