"""Schedules as ZenML keeps them, and the scheduler's own files beside the ZenML store."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.models import PipelineSnapshotResponse, ScheduleResponse

from mutualctr.errors import ConfigError
from mutualctr.files import file_digest
from stack.scheduling.policy import FLAVOR, Policy, policy_in
from stack.scheduling.scheduler import Job
from stack.scheduling.state import Memory, State
from stack.scheduling.times import Timetable

ORIGIN = "mutualctr_schedule"
"""Key in the snapshot's `extra` under which the configuration is kept as it was."""
PAGE = 100

logger = logging.getLogger("mutualctr.scheduler")


def home() -> Path:
    """The scheduler's folder, beside the ZenML store of this machine's user."""
    return Path(GlobalConfiguration().config_directory) / "mutualctr_scheduler"


@contextmanager
def open_state() -> Iterator[State]:
    """The scheduler's memory."""
    state = State(home() / "state.db")
    try:
        yield state
    finally:
        state.close()


def origin_of(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """What the snapshot of a schedule must keep so that every firing starts from the same file."""
    return {
        "file": str(path.resolve()),
        "sha256": file_digest(path),
        "working_directory": str(Path.cwd()),
        "content": {key: value for key, value in content.items() if key != "schedule"},
    }


def changed_since(origin: dict[str, Any]) -> str | None:
    """A sentence where the file a schedule came from is no longer what it was."""
    path = Path(origin["file"])
    if path.is_file() and file_digest(path) == origin["sha256"]:
        return None
    return (
        f"{path} has changed or is gone since this schedule was made; the stored copy runs "
        "(to take the new file: `zenml pipeline schedule delete` it, then run the file again)"
    )


def active_jobs() -> list[Job]:
    """All active schedules of the `local_scheduled` orchestrators of the active project."""
    client = Client()
    ours = {
        component.id
        for component in client.list_stack_components(type="orchestrator", flavor=FLAVOR, size=PAGE)
    }
    jobs = []
    for schedule in _all_active(client):
        if schedule.orchestrator_id not in ours:
            continue
        try:
            jobs.append(_job(schedule))
        except ConfigError as error:
            _complain_once(str(error))
    return jobs


def snapshot_of(schedule: str) -> PipelineSnapshotResponse:
    """The snapshot that was compiled when the schedule was made.

    Raises ConfigError for a schedule that `zenml pipeline run … -c` did not make.
    """
    found = Client().list_snapshots(schedule_id=schedule, named_only=False, hydrate=True)
    if not found.items or ORIGIN not in found.items[0].pipeline_configuration.extra:
        raise ConfigError(
            f"Schedule {schedule} holds no configuration; delete it and make it anew with "
            "`zenml pipeline run <pipeline> -c <file with a schedule>`."
        )
    return found.items[0]


def look_forward(schedule: ScheduleResponse) -> None:
    """Due times up to now are nobody's: the schedule was off, or had another expression."""
    with open_state() as state, state.exclusively():
        now = datetime.now(UTC)
        memory = state.get(str(schedule.id)) or Memory(str(schedule.id), now)
        state.put(replace(memory, handled=now))


def make_due(job: Job) -> bool:
    """Let a run start at the scheduler's next look; False, and nothing done, where one is under
    way or waits for its next attempt already."""
    with open_state() as state, state.exclusively():
        now = datetime.now(UTC)
        memory = state.get(job.schedule) or Memory(job.schedule, job.created)
        if memory.due is not None:
            return False
        state.put(replace(memory, due=now, retry_at=now))
        return True


def _all_active(client: Client) -> Iterator[ScheduleResponse]:
    number, pages = 1, 1
    while number <= pages:
        page = client.list_schedules(
            active=True, is_archived=False, page=number, size=PAGE, hydrate=True
        )
        yield from page
        number, pages = number + 1, page.total_pages


def _job(schedule: ScheduleResponse) -> Job:
    policy = _policy(str(schedule.id))
    timetable = Timetable(
        ZoneInfo(policy.time_zone),
        cron=schedule.cron_expression,
        interval=None if schedule.cron_expression else schedule.interval_second,
        once=_utc(schedule.run_once_start_time),
        start=_utc(schedule.start_time),
        end=_utc(schedule.end_time),
    )
    return Job(str(schedule.id), schedule.name, _utc(schedule.created), timetable, policy)


@lru_cache(maxsize=PAGE)
def _policy(schedule: str) -> Policy:
    """A schedule's snapshot never changes, so it is read once."""
    content = snapshot_of(schedule).pipeline_configuration.extra[ORIGIN]["content"]
    return policy_in(content, f"schedule {schedule}")


@lru_cache(maxsize=PAGE)
def _complain_once(sentence: str) -> None:
    logger.error(sentence)


def _utc(moment: datetime | None) -> datetime | None:
    """ZenML keeps UTC without saying so."""
    return None if moment is None else moment.replace(tzinfo=UTC)
