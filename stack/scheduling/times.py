"""When a schedule is due. Everything here is UTC-aware time in, UTC-aware time out.

Cron runs on the clocks of a time zone, which twice a year lie:

- Clocks go forward: a time that does not exist (02:30) is due at the first moment after the gap
  (03:00), so a daily run is never lost.
- Clocks go back: a time that exists twice is due once, the first time, unless the expression names
  every hour: then it means "every hour" and the hour that comes twice is due twice.

The first is croniter's own behaviour, the second is not (it fires a daily 02:30 twice).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

HOURS = 24


@dataclass(frozen=True)
class Timetable:
    """Due times of one schedule; exactly one of `cron`, `interval` and `once` is given."""

    zone: ZoneInfo
    cron: str | None = None
    interval: timedelta | None = None
    once: datetime | None = None
    start: datetime | None = None
    """Nothing is due before it. An interval counts from here."""
    end: datetime | None = None
    """Nothing is due after it."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due time later than `moment`, None where there is none."""
        if self.start is not None and moment < self.start:
            moment = self.start - timedelta(microseconds=1)
        due = self._next(moment)
        return None if due is None or (self.end is not None and due > self.end) else due

    def last_until(self, moment: datetime) -> datetime | None:
        """The last due time not later than `moment`, None where there is none."""
        if self.end is not None:
            moment = min(moment, self.end)
        due = self._last(moment)
        return None if due is None or (self.start is not None and due < self.start) else due

    def _next(self, moment: datetime) -> datetime | None:
        if self.once is not None:
            return self.once if self.once > moment else None
        if self.interval is not None:
            assert self.start is not None
            return self.start + self.interval * ((moment - self.start) // self.interval + 1)
        times = croniter(self.cron, moment.astimezone(self.zone))
        due = times.get_next(datetime)
        while self._is_repeated(due):
            due = times.get_next(datetime)
        return due.astimezone(UTC)

    def _last(self, moment: datetime) -> datetime | None:
        if self.once is not None:
            return self.once if self.once <= moment else None
        if self.interval is not None:
            assert self.start is not None
            return self.start + self.interval * ((moment - self.start) // self.interval)
        # Walking forward from a due time before `moment` treats gaps as next_after does.
        earlier = croniter(self.cron, (moment + timedelta(seconds=1)).astimezone(self.zone))
        due = earlier.get_prev(datetime).astimezone(UTC)
        while (following := self._next(due)) is not None and following <= moment:
            due = following
        while self._is_repeated(due.astimezone(self.zone)) or due > moment:
            due = earlier.get_prev(datetime).astimezone(UTC)
        return due

    def _is_repeated(self, due: datetime) -> bool:
        """Is this the second 02:30 of the night the clocks go back, for a cron of fixed hours?"""
        fields, _ = croniter.expand(self.cron)
        every_hour = fields[1] == ["*"] or len(fields[1]) == HOURS
        return bool(due.astimezone(self.zone).fold) and not every_hour
