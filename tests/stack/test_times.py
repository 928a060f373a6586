"""Due times by hand on the two nights the clocks lie, and forwards against backwards."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.scheduling.times import Timetable

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due_times(table: Timetable, after: datetime, count: int) -> list[datetime]:
    found = []
    for _ in range(count):
        after = table.next_after(after)
        found.append(after)
    return found


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # 2026-03-29: 02:00 CET is 03:00 CEST; there is no 02:30, so it is due at 03:00.
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        # Three o'clock exists; before it is 02:00 UTC, from then on 01:00 UTC.
        ("0 3 * * *", "2026-03-27T12:00", ["2026-03-28T02:00", "2026-03-29T01:00"]),
        ("0 * * * *", "2026-03-29T00:00", ["2026-03-29T01:00", "2026-03-29T02:00"]),
        # 2026-10-25: 02:30 comes at 00:30 UTC and again at 01:30 UTC; once is enough.
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("0 3 * * *", "2026-10-24T12:00", ["2026-10-25T02:00", "2026-10-26T02:00"]),
        # Every hour means every hour.
        (
            "30 * * * *",
            "2026-10-24T23:45",
            ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"],
        ),
    ],
)
def test_the_nights_the_clocks_change(cron, after, expected):
    found = due_times(Timetable(BERLIN, cron=cron), utc(after), len(expected))
    assert found == [utc(text) for text in expected]


CRONS = ("30 2 * * *", "0 3 * * *", "*/20 2 * * *", "0 * * * *", "15 2,3 * * 0", "*/7 */5 * * *")
STARTS = (utc("2026-03-28T00:00"), utc("2026-10-24T00:00"), utc("2026-06-01T00:00"))


@given(st.sampled_from(CRONS), st.sampled_from(STARTS), st.integers(0, 999))
def test_the_last_until_is_the_one_that_next_after_gave(cron, start, part):
    table = Timetable(BERLIN, cron=cron)
    found = due_times(table, start, 12)
    assert found == sorted(set(found))
    for before, after in pairwise(found):
        assert table.last_until(before + (after - before) * part // 1000) == before


def test_an_interval_counts_from_its_start_and_knows_no_zone():
    start = utc("2026-03-28T22:00")
    table = Timetable(BERLIN, interval=timedelta(hours=6), start=start)
    assert due_times(table, start - timedelta(days=1), 2) == [start, utc("2026-03-29T04:00")]
    assert table.last_until(start - timedelta(seconds=1)) is None
    assert table.last_until(utc("2026-03-29T03:59")) == start


def test_nothing_outside_start_and_end():
    table = Timetable(
        ZoneInfo("UTC"),
        cron="0 3 * * *",
        start=utc("2026-01-02T03:00"),
        end=utc("2026-01-03T03:00"),
    )
    assert table.next_after(utc("2025-12-01T00:00")) == utc("2026-01-02T03:00")
    assert table.next_after(utc("2026-01-03T03:00")) is None
    assert table.last_until(utc("2026-02-01T00:00")) == utc("2026-01-03T03:00")
    assert table.last_until(utc("2026-01-02T02:59")) is None


def test_once():
    table = Timetable(ZoneInfo("UTC"), once=utc("2026-01-02T03:00"))
    assert table.next_after(utc("2026-01-01T00:00")) == utc("2026-01-02T03:00")
    assert table.next_after(utc("2026-01-02T03:00")) is None
    assert table.last_until(utc("2026-01-02T02:00")) is None
