"""`mutualctr scheduler`: schedules fire as long as it runs."""

import logging
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from types import FrameType

import click

from mutualctr.errors import ConfigError

TICK_SECONDS = 2.0


@click.group(invoke_without_command=True)
@click.option("--once", is_flag=True, help="Fire what is due, wait for it, exit (for cron).")
@click.pass_context
def scheduler(context: click.Context, once: bool) -> None:
    """Fire the schedules of the local stack until it is told to end."""
    # Whoever calls `main(…, obj=clock)` lives through another time; a command line has no `obj`.
    clock = context.obj or _wall_clock
    if context.invoked_subcommand is not None:
        return
    from stack.process import alive, identity
    from stack.scheduling.launch import launch, tell_given_up
    from stack.scheduling.scheduler import Scheduler
    from stack.scheduling.store import active_jobs, open_state

    _log_to_terminal()
    with open_state() as state, _Asked() as asked:
        at_work = Scheduler(
            state,
            jobs=active_jobs,
            launch=launch,
            tell=tell_given_up,
            alive=alive,
            clock=clock,
            identity=identity(),
        )
        if once:
            at_work.tick()
        else:
            click.echo("The scheduler runs; Ctrl-C or SIGTERM ends it.", err=True)
        while not once and not asked.event.is_set():
            at_work.tick()
            asked.event.wait(TICK_SECONDS)
        if at_work.busy and asked.event.is_set():
            click.echo("The scheduler ends when the run under way has ended.", err=True)
        while at_work.busy:
            time.sleep(TICK_SECONDS / 4)
            at_work.collect()
    if asked.event.is_set():
        click.echo(f"The scheduler has ended ({asked.name}).", err=True)
    if once and at_work.failures:
        raise SystemExit(1)


@scheduler.command()
@click.option("--systemd", "kind", flag_value="systemd", help="A systemd user unit.")
@click.option("--cron", "kind", flag_value="cron", help="A crontab line.")
def unit(kind: str | None) -> None:
    """Print what starts the scheduler on this machine."""
    from stack.scheduling.unit import cron_line, systemd_unit

    if kind is None:
        raise click.UsageError("say which: --systemd or --cron.")
    click.echo(systemd_unit() if kind == "systemd" else cron_line(), nl=False)


@scheduler.command()
@click.argument("name")
def run(name: str) -> None:
    """Run what schedule NAME would run, now and here; it does not count as a firing."""
    from zenml.client import Client

    from stack.scheduling.launch import firing

    _log_to_terminal()
    found = Client().list_schedules(name=name, is_archived=False)
    if not found.total:
        raise ConfigError(
            f"There is no schedule `{name}`; `zenml pipeline schedule list` shows those there are."
        )
    command, working_directory = firing(str(found[0].id), name)
    raise SystemExit(subprocess.call(command, cwd=working_directory))


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class _Asked:
    """SIGINT or SIGTERM came while the block ran."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.name = ""

    def __enter__(self) -> "_Asked":
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        self.event.set()


def _log_to_terminal() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger = logging.getLogger("mutualctr.scheduler")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
