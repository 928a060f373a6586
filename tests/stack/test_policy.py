"""The schedule blocks of a file: each slip gets its sentence."""

import pytest

from mutualctr.errors import ConfigError
from stack.scheduling.policy import SETTINGS, check_schedule

POLICY = {
    "time_zone": "Europe/Berlin",
    "missed_runs": "skip",
    "retries": 3,
    "retry_delay_seconds": 60,
    "retry_delay_cap_seconds": 600,
}


def content(schedule: dict | None = None, **policy: object) -> dict:
    schedule = {"name": "nightly", "cron_expression": "0 3 * * *"} | (schedule or {})
    return {"schedule": schedule, "settings": {SETTINGS: POLICY | policy}}


def test_a_sound_one():
    assert check_schedule(content(), "f").time_zone == "Europe/Berlin"
    assert check_schedule({}, "f") is None


SLIPS = {
    "zone": (content(time_zone="Europe/Berlim"), "`Europe/Berlim` is not a time zone"),
    "path as zone": (content(time_zone="../etc/passwd"), "is not a time zone"),
    "missed": (content(missed_runs="all"), "missed_runs"),
    "policy key": (content(time_zon="UTC"), "did you mean `time_zone`?"),
    "schedule key": (content({"cron_expresion": "x"}), "did you mean `cron_expression`?"),
    "cron": (content({"cron_expression": "0 25 * * *"}), "is not a cron expression"),
    "six fields": (content({"cron_expression": "0 3 * * * *"}), "is not a cron expression"),
    "30 February": (content({"cron_expression": "0 3 30 2 *"}), "a day that never comes"),
    "two kinds": (content({"run_once_start_time": "2026-01-01T00:00:00Z"}), "exactly one of"),
    "no start": (
        content({"cron_expression": None, "interval_second": 3600}),
        "Either a cron expression",
    ),
    "catchup": (content({"catchup": True}), "`catchup` is said by `missed_runs`"),
    "no name": ({"schedule": {"cron_expression": "0 3 * * *"}}, "`name` is missing"),
    "no policy": ({"schedule": content()["schedule"]}, "configs/nightly.yaml"),
    "a list": ({"schedule": ["0 3 * * *"]}, "must hold `key: value` pairs"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_gets_its_sentence(slip):
    wrong, words = SLIPS[slip]
    with pytest.raises(ConfigError) as caught:
        check_schedule(wrong, "run.yaml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("run.yaml: ")
