"""Deciding what to run now: due times, missed ones, overlap, retries.

Nothing here knows ZenML, processes or the wall clock; they come in as `jobs`, `launch`, `alive`
and `clock`, so that a test can live through a year in a second.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

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


class Scheduler:
    """One pass of `tick` after the other; all memory is in `state`.

    `launch(job, due)` starts a run and returns it. A run that cannot start, or ends with another
    code than 0, is a failed attempt.
    """

    def __init__(
        self,
        state: State,
        jobs: Callable[[], list[Job]],
        launch: Callable[[Job, datetime], Run],
        alive: Callable[[str | None], bool],
        clock: Callable[[], datetime],
        identity: str,
    ) -> None:
        self._state = state
        self._jobs = jobs
        self._launch = launch
        self._alive = alive
        self._clock = clock
        self._identity = identity
        self._running: dict[str, tuple[Job, datetime, Run]] = {}
        self.failures = 0
        """Runs that this scheduler saw fail."""

    @property
    def busy(self) -> bool:
        """Is a run of this scheduler still going on?"""
        return bool(self._running)

    def tick(self) -> None:
        """Note which runs ended, then start what is due."""
        self.collect()
        for job in self._jobs():
            if due := self._claim(job):
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
                self._failed(job)

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
                memory = self._after_failure(job, memory, now)
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
            logger.info("%s: %s is given up, the next is due", job.name, job.spoken(memory.due))
            memory = memory.released()
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
        except Exception:  # whatever it is, the other schedules must go on
            logger.exception("%s: the run for %s cannot start", job.name, job.spoken(due))
            self._failed(job)
            return
        with self._state.exclusively():
            if memory := self._state.get(job.schedule):
                self._state.put(replace(memory, run=run.process))
        self._running[job.schedule] = (job, due, run)
        logger.info("%s: the run for %s has started", job.name, job.spoken(due))

    def _failed(self, job: Job) -> None:
        self.failures += 1
        with self._state.exclusively():
            if memory := self._state.get(job.schedule):
                self._state.put(self._after_failure(job, memory, self._clock()))

    def _after_failure(self, job: Job, memory: Memory, now: datetime) -> Memory:
        """The lock is free again; another attempt is noted, or the due time is given up."""
        failed = memory.failed + 1
        if failed > job.policy.retries:
            logger.error(
                "%s: %s is given up after %d attempt%s",
                job.name,
                job.spoken(memory.due),
                failed,
                "s" if failed > 1 else "",
            )
            return memory.released()
        pause = timedelta(seconds=job.policy.retry_pause(failed))
        logger.info("%s: attempt %d follows at %s", job.name, failed + 1, job.spoken(now + pause))
        return replace(memory, failed=failed, retry_at=now + pause, scheduler=None, run=None)
