"""Eight nights of a schedule through the real commands; `make month` lives through thirty."""

import pytest
from month import NAME, WEEK, Month, check


@pytest.fixture(scope="module")
def week(tracking_uri, tmp_path_factory):
    """The nights, and everything the scheduler and the commands printed."""
    folder = tmp_path_factory.mktemp("month")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUTUALCTR_DATA", str(folder))
        month = Month(folder, tracking_uri)
        try:
            for plan in WEEK:
                month.live(plan)
            yield month
        finally:
            month.command("zenml", "pipeline", "schedule", "delete", NAME, "-y")


def test_every_morning_is_as_planned(week):
    check(week.nights)
