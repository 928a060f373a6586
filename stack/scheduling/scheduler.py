"""Deciding what to run now: due times, missed ones, overlap, retries.

Nothing here knows ZenML, processes or the wall clock; they come in as `jobs`, `launch`, `tell`,
`alive` and `clock`, so that a test can live through a year in a second.

People hear of a failure once, when a due time is given up, and from here: a run that was killed
tells nothing, and one that another attempt saves is nobody's business.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from mutualctr.errors import ConfigError
from stack.scheduling.policy import Policy
from stack.scheduling.state import Memory, State
from stack.scheduling.times import Timetable

GRACE = timedelta(minutes=5)
"""A due time noticed later than this was missed. Covers `--once` from a cron line every minute."""

logger = logging.getLogger("mutualctr.scheduler")


@dataclass(frozen=True)
class Job:
    """One active schedule."""

    schedule: str
    """Its id in ZenML."""
    name: str
    created: datetime
    timetable: Timetable
    policy: Policy

    def spoken(self, moment: datetime) -> str:
        """A moment on the clocks of the schedule's zone."""
        return moment.astimezone(self.timetable.zone).strftime("%Y-%m-%d %H:%M:%S %Z")


class Run(Protocol):
    """A pipeline run in a process of its own."""

    process: str
    """Its identity, as `stack.process.identity` writes it."""

    def code(self) -> int | None:
        """Exit code, None while it is going on."""

    def where(self) -> str:
        """Where its output is."""

    def why(self) -> str:
        """A sentence on why it failed."""


class Scheduler:
    """One pass of `tick` after the other; all memory is in `state`.

    `launch(job, due)` starts a run and returns it. A run that cannot start, or ends with another
    code than 0, is a failed attempt. `tell(job, due, sentence)` is called where a due time is given
    up.
    """

    def __init__(
        self,
        state: State,
        jobs: Callable[[], list[Job]],
        launch: Callable[[Job, datetime], Run],
        tell: Callable[[Job, datetime, str], None],
        alive: Callable[[str | None], bool],
        clock: Callable[[], datetime],
        identity: str,
    ) -> None:
        self._state = state
        self._jobs = jobs
        self._launch = launch
        self._tell = tell
        self._alive = alive
        self._clock = clock
        self._identity = identity
        self._running: dict[str, tuple[Job, datetime, Run]] = {}
        self._untold: list[tuple[Job, datetime, str]] = []
        self._late: set[tuple[Job, datetime]] = set()
        """What could not be told at once, and was complained of."""
        self._unanswered: str | None = None
        """What the store of the schedules said last where it did not answer."""
        self.failures = 0
        """Runs that this scheduler saw fail, and times from which on it could not see schedules."""

    @property
    def busy(self) -> bool:
        """Is a run of this scheduler still going on?"""
        return bool(self._running)

    def tick(self) -> None:
        """Note which runs ended, then start what is due."""
        self.collect()
        self._tell_all()
        for job in self._seen_jobs():
            due = self._claim(job)
            self._tell_all()
            if due is not None:
                self._start(job, due)

    def collect(self) -> None:
        """Note which runs ended, and how."""
        for schedule, (job, due, run) in list(self._running.items()):
            code = run.code()
            if code is None:
                continue
            del self._running[schedule]
            spoken = f"{job.name}: the run for {job.spoken(due)}"
            if code == 0:
                logger.info("%s ended well; its output: %s", spoken, run.where())
                with self._state.exclusively():
                    if memory := self._state.get(schedule):
                        self._state.put(memory.released())
            else:
                logger.error("%s failed with code %d; see %s", spoken, code, run.where())
                self._failed(job, run.why())

    def _seen_jobs(self) -> list[Job]:
        """The schedules; none while their store does not answer, which the next look may find."""
        try:
            jobs = self._jobs()
        except Exception as error:  # a run may be under way, which must not end with the scheduler
            if self._unanswered is None:
                self.failures += 1
            if self._unanswered != str(error):
                logger.exception(
                    "the schedules cannot be read (%s); trying again until they can", error
                )
            self._unanswered = str(error)
            return []
        if self._unanswered is not None:
            logger.info("the schedules can be read again")
        self._unanswered = None
        return jobs

    def _claim(self, job: Job) -> datetime | None:
        """Decide, and write down, whether a run of `job` starts now; returns its due time."""
        now = self._clock()
        with self._state.exclusively():
            memory = self._state.get(job.schedule) or Memory(job.schedule, job.created)
            if self._alive(memory.scheduler) or self._alive(memory.run):
                self._state.put(self._while_running(job, memory, now))
                return None
            if memory.scheduler is not None:
                logger.warning(
                    "%s: the run for %s died without a word; its lock is taken over",
                    job.name,
                    job.spoken(memory.due),
                )
                why = "its process died without a word."
                memory = self._after_failure(job, memory, now, why)
            memory, due = self._choose(job, memory, now)
            if due is not None:
                memory = replace(memory, due=due, retry_at=None, scheduler=self._identity, run=None)
            self._state.put(memory)
            return due

    def _while_running(self, job: Job, memory: Memory, now: datetime) -> Memory:
        """Due times that fall into a run are skipped, or wait where all are to run."""
        last = job.timetable.last_until(now)
        if last is None or last <= memory.handled or job.policy.missed_runs == "run_all":
            return memory
        logger.warning(
            "%s: %s is skipped, the run for %s is still going on",
            job.name,
            job.spoken(last),
            job.spoken(memory.due),
        )
        return replace(memory, handled=last)

    def _choose(self, job: Job, memory: Memory, now: datetime) -> tuple[Memory, datetime | None]:
        """What to run now, nothing being under way: an attempt anew, or a due time."""
        last = job.timetable.last_until(now)
        fresh = last is not None and last > memory.handled
        run_all = job.policy.missed_runs == "run_all"
        if memory.due is not None and (run_all or not fresh):
            assert memory.retry_at is not None
            return memory, (memory.due if now >= memory.retry_at else None)
        if not fresh:
            return memory, None
        if memory.due is not None:
            memory = self._given_up(job, memory, memory.failed, "the next is due.")
        first = job.timetable.next_after(memory.handled)
        if run_all:
            return replace(memory, handled=first), first
        missed = now - last > GRACE
        if missed and job.policy.missed_runs == "skip":
            logger.warning(
                "%s: %s was missed and is skipped (missed_runs: skip)", job.name, job.spoken(last)
            )
            return replace(memory, handled=last), None
        if first < last:
            logger.warning(
                "%s: due times from %s on were missed; one run, for %s, stands for them",
                job.name,
                job.spoken(first),
                job.spoken(last),
            )
        return replace(memory, handled=last), last

    def _start(self, job: Job, due: datetime) -> None:
        try:
            run = self._launch(job, due)
        except Exception as error:  # whatever it is, the other schedules must go on
            logger.exception("%s: the run for %s cannot start", job.name, job.spoken(due))
            self._failed(job, f"it cannot start ({error})")
            return
        with self._state.exclusively():
            if memory := self._state.get(job.schedule):
                self._state.put(replace(memory, run=run.process))
        self._running[job.schedule] = (job, due, run)
        logger.info("%s: the run for %s has started", job.name, job.spoken(due))

    def _failed(self, job: Job, why: str) -> None:
        self.failures += 1
        with self._state.exclusively():
            if memory := self._state.get(job.schedule):
                self._state.put(self._after_failure(job, memory, self._clock(), why))
        self._tell_all()

    def _after_failure(self, job: Job, memory: Memory, now: datetime, why: str) -> Memory:
        """The lock is free again; another attempt is noted, or the due time is given up."""
        failed = memory.failed + 1
        if failed > job.policy.retries:
            return self._given_up(job, memory, failed, why)
        pause = timedelta(seconds=job.policy.retry_pause(failed))
        logger.info("%s: attempt %d follows at %s", job.name, failed + 1, job.spoken(now + pause))
        return replace(memory, failed=failed, retry_at=now + pause, scheduler=None, run=None)

    def _given_up(self, job: Job, memory: Memory, failed: int, why: str) -> Memory:
        """No further attempt; people hear of it when the transaction is over."""
        attempts = f"{failed} attempt{'s' if failed > 1 else ''}"
        sentence = f"{job.spoken(memory.due)} is given up after {attempts}: {why}"
        logger.error("%s: %s", job.name, sentence)
        self._untold.append((job, memory.due, f"The run for {sentence}"))
        return memory.released()

    def _tell_all(self) -> None:
        """What cannot be told now is told at a later look, unless nothing says any more to whom."""
        waiting, self._untold = self._untold, []
        for job, due, sentence in waiting:
            try:
                self._tell(job, due, sentence)
            except ConfigError as error:
                logger.error("%s: nobody can be told: %s", job.name, error)
            except Exception as error:  # as for the schedules
                if (job, due) not in self._late:
                    logger.warning("%s: not told yet (%s); trying again", job.name, error)
                self._late.add((job, due))
                self._untold.append((job, due, sentence))
