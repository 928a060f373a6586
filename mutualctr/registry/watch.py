"""Training that can be watched: a progress bar here, a live MLflow run per peer there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mutualctr.closed import Closed
from mutualctr.registry.tracking import Tracker
from mutualctr.training.loop import Progress as TrainingProgress


@contextmanager
def watched(
    tracker: Tracker,
    names: Sequence[str],
    params: Sequence[Mapping[str, Closed]],
    title: str,
    rows: int,
) -> Iterator[tuple[TrainingProgress, tuple[str, ...]]]:
    """Open a child run per name, with its parameters, and a bar over `rows`; yields where to
    report, and the run ids.

    The runs end as FINISHED, or as FAILED when the block raises.
    """
    plain = [{k: record.model_dump(mode="json") for k, record in of.items()} for of in params]
    run_ids = tuple(tracker.open_child(*child) for child in zip(names, plain, strict=True))
    failed = True
    try:
        with _bar(title, rows) as advance:
            yield (
                TrainingProgress(
                    report=advance,
                    record=lambda n, point: tracker.log_point(run_ids[n], point),
                ),
                run_ids,
            )
        failed = False
    finally:
        for run_id in run_ids:
            tracker.close_child(run_id, failed)


@contextmanager
def _bar(title: str, rows: int) -> Iterator[Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=rows)
        yield lambda done: progress.advance(task, done)
