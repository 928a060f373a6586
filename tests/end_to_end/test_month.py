"""Six days of a schedule through the real commands; `make month` lives through thirty."""

import re
from pathlib import Path

import pytest
from month import NAME, WEEK, Month, check, line


@pytest.fixture(scope="module")
def week(tracking_uri, tmp_path_factory):
    """The days, lived through."""
    folder = tmp_path_factory.mktemp("month")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUTUALCTR_DATA", str(folder))
        month = Month(folder, tracking_uri)
        try:
            for plan in WEEK:
                print(line(month.live(plan)))
            yield month
        finally:
            month.command("zenml", "pipeline", "schedule", "delete", NAME, "-y")
            month.command("mutualctr", "doctor", "--fix")  # runs that were killed


def test_every_morning_is_as_planned(week):
    check(week.nights)


def test_the_scheduler_says_what_it_did(week):
    _, broken, killed, nothing, _, late = week.nights
    assert broken.output.count("failed with code 1") == 2
    (alert,) = broken.alerts
    assert "is given up after 2 attempts: Error: daily: column label must be" in alert["sentence"]
    assert "failed with code -9" in killed.output
    assert killed.output.count("ended well") == 1
    assert nothing.output.count("ended well") == 1
    assert "were missed; one run, for 2" in late.output
    assert f"{NAME}/1 serves again instead of {NAME}/2" in late.output


def test_a_run_that_was_killed_repeats_no_finished_step(week):
    """Both attempts write to the same file."""
    log = re.search(r"ended well; its output: (\S+)", week.nights[2].output)[1]
    text = Path(log).read_text()
    assert text.count("Step `encode` has started.") == 1
    assert "Using cached version of step `encode`." in text
    assert text.count("Step `promote` has started.") == 1
