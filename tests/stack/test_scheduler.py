"""A scheduler that lives through days in milliseconds: its clock, runs and deaths are ours."""

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from stack.scheduling.policy import Policy
from stack.scheduling.scheduler import Job, Scheduler
from stack.scheduling.state import Memory, State
from stack.scheduling.times import Timetable

DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


POLICY = Policy(
    time_zone="UTC",
    missed_runs="run_once",
    retries=2,
    retry_delay_seconds=60,
    retry_delay_cap_seconds=90,
)
JOB = Job(
    "id-1", "nightly", at("2026-01-01T12:00"), Timetable(ZoneInfo("UTC"), cron="0 3 * * *"), POLICY
)


@dataclass
class FakeRun:
    process: str
    exit: int | None = None

    def code(self) -> int | None:
        return self.exit

    def where(self) -> str:
        return "log"

    def why(self) -> str:
        return "Error: the disk is full."


@dataclass
class World:
    """The machine around a scheduler."""

    path: Path
    now: datetime = JOB.created
    job: Job = JOB
    living: set[str] = field(default_factory=set)
    started: list[datetime] = field(default_factory=list)
    runs: list[FakeRun] = field(default_factory=list)
    told: list[tuple[datetime, str]] = field(default_factory=list)
    unreachable: str = ""
    """Why the store that has the schedules does not answer."""

    def boot(self, name: str = "scheduler-1") -> Scheduler:
        self.living.add(name)
        return Scheduler(
            State(self.path),
            jobs=self.jobs,
            launch=self.launch,
            tell=self.tell,
            alive=lambda process: process in self.living,
            clock=lambda: self.now,
            identity=name,
        )

    def jobs(self) -> list[Job]:
        self.answer()
        return [self.job]

    def tell(self, job: Job, due: datetime, sentence: str) -> None:
        self.answer()
        self.told.append((due, sentence))

    def answer(self) -> None:
        if self.unreachable:
            raise ConnectionError(self.unreachable)

    def launch(self, job: Job, due: datetime) -> FakeRun:
        run = FakeRun(f"run-{len(self.runs) + 1}")
        self.living.add(run.process)
        self.started.append(due)
        self.runs.append(run)
        return run

    def end(self, code: int) -> None:
        self.runs[-1].exit = code
        self.living.discard(self.runs[-1].process)

    def tick(self, scheduler: Scheduler, text: str) -> None:
        self.now = at(text)
        scheduler.tick()


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path / "state.db")


def test_a_night_like_any_other(world):
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T02:59:59")
    assert world.started == []
    world.tick(scheduler, "2026-01-02T03:00:01")
    world.tick(scheduler, "2026-01-02T03:00:03")
    assert world.started == [at("2026-01-02T03:00")]
    world.end(0)
    world.tick(scheduler, "2026-01-02T04:00:00")
    world.tick(scheduler, "2026-01-03T03:00:00")
    assert world.started == [at("2026-01-02T03:00"), at("2026-01-03T03:00")]


def test_a_store_that_does_not_answer_ends_neither_scheduler_nor_run(world, caplog):
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T03:00:01")
    world.unreachable = "connection refused"
    for minute in (1, 2, 3):
        world.tick(scheduler, f"2026-01-02T03:0{minute}:00")
    assert scheduler.failures == 1
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "the schedules cannot be read (connection refused); trying again until they can"
    ]
    world.end(0)
    world.tick(scheduler, "2026-01-03T02:59:00")  # that a run ended is noted all the same
    assert not scheduler.busy
    world.unreachable = ""
    world.tick(scheduler, "2026-01-03T03:00:01")
    assert world.started == [at("2026-01-02T03:00"), at("2026-01-03T03:00")]


def test_what_could_not_be_told_is_told_later(world):
    world.job = replace(JOB, policy=POLICY.model_copy(update={"retries": 0}))
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T03:00:01")
    world.end(1)
    world.unreachable = "connection refused"
    world.tick(scheduler, "2026-01-02T03:00:03")
    assert world.told == []
    world.unreachable = ""
    world.tick(scheduler, "2026-01-02T03:00:05")
    assert [due for due, _ in world.told] == [at("2026-01-02T03:00")]


@pytest.mark.parametrize(
    ("missed_runs", "expected"),
    [
        ("skip", []),
        ("run_once", ["2026-01-04T03:00"]),
        ("run_all", ["2026-01-02T03:00", "2026-01-03T03:00", "2026-01-04T03:00"]),
    ],
)
def test_three_days_without_power(world, missed_runs, expected):
    world.job = replace(JOB, policy=POLICY.model_copy(update={"missed_runs": missed_runs}))
    scheduler = world.boot()
    for minute in range(10, 16):
        world.tick(scheduler, f"2026-01-04T12:{minute}:00")
        if world.runs:
            world.end(0)
    assert world.started == [at(text) for text in expected]
    world.tick(scheduler, "2026-01-05T03:00:30")
    assert world.started[-1] == at("2026-01-05T03:00")


def test_a_due_time_within_a_run_is_skipped_and_said(world, caplog):
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T03:00:00")
    world.tick(scheduler, "2026-01-03T03:00:00")
    world.tick(scheduler, "2026-01-03T03:00:02")
    assert len(world.started) == 1
    skipped = [r.getMessage() for r in caplog.records if "still going on" in r.getMessage()]
    assert len(skipped) == 1
    world.end(0)
    world.tick(scheduler, "2026-01-03T08:00:00")
    assert len(world.started) == 1


def test_run_all_waits_instead(world):
    world.job = replace(JOB, policy=POLICY.model_copy(update={"missed_runs": "run_all"}))
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T03:00:00")
    world.tick(scheduler, "2026-01-03T03:00:00")
    world.end(0)
    world.tick(scheduler, "2026-01-03T08:00:00")
    assert world.started == [at("2026-01-02T03:00"), at("2026-01-03T03:00")]


def test_failures_are_tried_again_ever_later_up_to_the_cap(world):
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T03:00:00")
    world.end(1)
    world.tick(scheduler, "2026-01-02T03:01:00")  # noticed now: next at 03:02:00
    world.tick(scheduler, "2026-01-02T03:01:59")
    assert len(world.started) == 1
    world.tick(scheduler, "2026-01-02T03:02:00")
    assert len(world.started) == 2
    world.end(1)
    world.tick(scheduler, "2026-01-02T03:03:00")  # 120 s, capped at 90: next at 03:04:30
    world.tick(scheduler, "2026-01-02T03:04:29")
    assert len(world.started) == 2
    world.tick(scheduler, "2026-01-02T03:04:30")
    world.end(1)
    world.tick(scheduler, "2026-01-02T05:00:00")
    world.tick(scheduler, "2026-01-02T09:00:00")
    assert world.started == [at("2026-01-02T03:00")] * 3
    assert scheduler.failures == 3
    world.tick(scheduler, "2026-01-03T03:00:00")
    assert len(world.started) == 4


def test_one_night_that_fails_is_told_once_when_it_is_given_up(world):
    scheduler = world.boot()
    for minute in (0, 3, 6):
        assert world.told == []
        world.tick(scheduler, f"2026-01-02T03:0{minute}:00")
        world.end(1)
        world.tick(scheduler, f"2026-01-02T03:0{minute + 1}:00")
    assert len(world.runs) == 3
    sentence = "The run for 2026-01-02 03:00:00 UTC is given up after 3 attempts"
    assert world.told == [(at("2026-01-02T03:00"), f"{sentence}: Error: the disk is full.")]


def test_a_night_that_a_later_attempt_saves_is_not_told(world):
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T03:00:00")
    world.end(-9)
    world.tick(scheduler, "2026-01-02T03:02:00")
    world.tick(scheduler, "2026-01-02T03:04:00")
    world.end(0)
    world.tick(scheduler, "2026-01-02T03:06:00")
    assert len(world.runs) == 2
    assert world.told == []


def test_a_run_that_dies_with_its_scheduler_is_told_too(world):
    world.job = replace(JOB, policy=POLICY.model_copy(update={"retries": 0}))
    world.tick(world.boot(), "2026-01-02T03:00:00")
    world.living.clear()
    world.tick(world.boot("scheduler-2"), "2026-01-02T03:01:00")
    ((due, sentence),) = world.told
    assert due == at("2026-01-02T03:00")
    assert sentence.endswith("is given up after 1 attempt: its process died without a word.")


def test_attempts_that_the_next_due_time_ends_are_told(world):
    """Else a schedule whose attempts take longer than its nights would fail in silence."""
    world.job = replace(
        JOB,
        policy=POLICY.model_copy(
            update={"retry_delay_seconds": 1e6, "retry_delay_cap_seconds": 1e6}
        ),
    )
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T03:00:00")
    world.end(1)
    world.tick(scheduler, "2026-01-03T03:00:00")
    ((due, sentence),) = world.told
    assert due == at("2026-01-02T03:00")
    assert sentence.endswith("is given up after 1 attempt: the next is due.")


def test_the_pause_doubles():
    policy = POLICY.model_copy(update={"retry_delay_cap_seconds": 300.0})
    assert [policy.retry_pause(n) for n in (1, 2, 3, 4)] == [60, 120, 240, 300]


def test_the_next_due_time_ends_the_attempts_for_the_last(world):
    world.job = replace(
        JOB,
        policy=POLICY.model_copy(
            update={"retry_delay_seconds": 1e6, "retry_delay_cap_seconds": 1e6}
        ),
    )
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T03:00:00")
    world.end(1)
    world.tick(scheduler, "2026-01-02T03:30:00")
    world.tick(scheduler, "2026-01-03T03:00:00")
    assert world.started == [at("2026-01-02T03:00"), at("2026-01-03T03:00")]


def test_a_run_outlives_its_scheduler_and_keeps_the_lock(world):
    world.tick(world.boot(), "2026-01-02T03:00:00")
    world.living.discard("scheduler-1")
    second = world.boot("scheduler-2")
    world.tick(second, "2026-01-02T03:10:00")
    assert len(world.started) == 1


def test_the_lock_of_the_dead_is_taken_over_and_the_run_tried_again(world, caplog):
    world.tick(world.boot(), "2026-01-02T03:00:00")
    world.living.clear()
    second = world.boot("scheduler-2")
    world.tick(second, "2026-01-02T03:10:00")
    assert "taken over" in caplog.text
    assert len(world.started) == 1
    world.tick(second, "2026-01-02T03:11:00")
    assert world.started == [at("2026-01-02T03:00")] * 2


def test_two_schedulers_start_one_run(world):
    first, second = world.boot(), world.boot("scheduler-2")
    world.tick(first, "2026-01-02T03:00:00")
    world.tick(second, "2026-01-02T03:00:00")
    assert len(world.started) == 1
    world.end(0)  # ended, not yet noticed by the first: the second must not think it died
    world.tick(second, "2026-01-02T03:05:00")
    world.tick(second, "2026-01-02T03:10:00")
    assert len(world.started) == 1


def test_a_run_that_cannot_start_is_a_failed_attempt(world):
    def broken(job: Job, due: datetime) -> FakeRun:
        raise OSError("no more processes")

    scheduler = world.boot()
    scheduler._launch = broken
    world.tick(scheduler, "2026-01-02T03:00:00")
    assert State(world.path).get("id-1") == Memory(
        "id-1",
        handled=at("2026-01-02T03:00"),
        due=at("2026-01-02T03:00"),
        failed=1,
        retry_at=at("2026-01-02T03:01"),
    )


def test_memory_is_written_before_the_run_starts(world):
    seen = []

    def killed(job: Job, due: datetime) -> FakeRun:
        seen.append(State(world.path).get("id-1"))
        raise KeyboardInterrupt  # the process is gone before it can note anything more

    scheduler = world.boot()
    scheduler._launch = killed
    with pytest.raises(KeyboardInterrupt):
        world.tick(scheduler, "2026-01-02T03:00:00")
    assert seen[0].handled == seen[0].due == at("2026-01-02T03:00")
    assert seen[0].scheduler == "scheduler-1"


def test_a_transaction_is_all_or_nothing(tmp_path):
    state = State(tmp_path / "state.db")

    def fail() -> None:
        with state.exclusively():
            state.put(Memory("a", at("2026-01-01T00:00")))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert state.get("a") is None


def test_what_is_made_due_runs_once_at_the_next_look(world, monkeypatch):
    """Between two due times, and not again while it waits or runs."""
    from stack.scheduling import store

    state = State(world.path)
    monkeypatch.setattr(store, "open_state", lambda: nullcontext(state))
    monkeypatch.setattr(store, "datetime", SimpleNamespace(now=lambda zone: world.now))
    scheduler = world.boot()
    world.tick(scheduler, "2026-01-02T02:00:00")
    assert world.started == []
    assert store.make_due(JOB)
    assert not store.make_due(JOB)
    world.tick(scheduler, "2026-01-02T02:00:02")
    assert world.started == [at("2026-01-02T02:00")]
    assert not store.make_due(JOB)
    world.end(0)
    world.tick(scheduler, "2026-01-02T02:30:00")
    assert len(world.started) == 1
    world.tick(scheduler, "2026-01-02T03:00:00")
    assert world.started[1:] == [at("2026-01-02T03:00")]
    world.end(1)
    world.tick(scheduler, "2026-01-02T03:00:10")  # waits for its second attempt
    assert not store.make_due(JOB)
