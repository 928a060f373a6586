"""Ctrl-C and SIGTERM: the run ends with one sentence, and ZenML does not think it still runs."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click
from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse, PipelineRunUpdate, StepRunUpdate
from zenml.utils.time_utils import utc_now

from stack.process import PROCESS, here

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PAGE = 100


class Interrupted(BaseException):
    """A signal asked the process to end. Not an Exception: a step's own handlers must not eat it.

    ZenML's handler runs while a step does; it calls ours, whose exception replaces its own.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into Interrupted. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sig: signal.signal(sig, _raise) for sig in SIGNALS}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def end_interrupted(interrupted: Interrupted) -> NoReturn:
    """Mark this process's unfinished runs as stopped, say so, exit with 128 + the signal."""
    for run in unfinished_runs():
        if run.config.extra.get(PROCESS) == here():
            end_run(run, ExecutionStatus.STOPPED, f"interrupted by {interrupted}")
    click.echo(
        f"The run was interrupted by {interrupted}; the same command goes on from the last "
        "finished step.",
        err=True,
    )
    raise SystemExit(128 + interrupted.signum)


def unfinished_runs() -> list[PipelineRunResponse]:
    """Runs of the active project that ZenML believes to be under way."""
    found = []
    for status in ExecutionStatus:
        if not status.is_finished:
            found += Client().list_pipeline_runs(status=status.value, size=PAGE, hydrate=True).items
    return found


def end_run(run: PipelineRunResponse, status: ExecutionStatus, reason: str) -> None:
    """Set a run and its unfinished steps to a final status."""
    store = Client().zen_store
    for step in Client().list_run_steps(pipeline_run_id=run.id, size=PAGE):
        if not step.status.is_finished:
            store.update_run_step(step.id, StepRunUpdate(status=status, end_time=utc_now()))
    store.update_run(run.id, PipelineRunUpdate(status=status, status_reason=reason))


def _raise(signum: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted(signum)
