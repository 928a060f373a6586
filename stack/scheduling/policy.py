"""What a configuration says about its schedule, checked as strictly as everything else.

ZenML's own `schedule` block says when. It knows neither time zones nor what becomes of a missed or
failed run; that stands under `settings: orchestrator.local_scheduled`, where ZenML keeps what only
one orchestrator understands, and is stored in the schedule's snapshot.
"""

from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter
from pydantic import Field, ValidationError, field_validator
from zenml.config.schedule import Schedule

from mutualctr.closed import Closed, nearest, parse
from mutualctr.errors import ConfigError

FLAVOR = "local_scheduled"
SETTINGS = f"orchestrator.{FLAVOR}"
CRON_FIELDS = 5


class Policy(Closed):
    """How `mutualctr scheduler` treats one schedule."""

    time_zone: str
    """IANA name, such as Europe/Berlin; the cron expression is read on that zone's clocks."""
    missed_runs: Literal["skip", "run_once", "run_all"]
    """What becomes of due times that passed while no scheduler ran."""
    retries: int = Field(ge=0)
    """Further attempts after a failed one."""
    retry_delay_seconds: float = Field(gt=0)
    """Pause before the first further attempt; it doubles with each."""
    retry_delay_cap_seconds: float = Field(gt=0)
    """The pause never gets longer than this."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"`{name}` is not a time zone this machine knows; give an IANA name such as "
                "Europe/Berlin, or install the tzdata package."
            ) from None
        return name

    def retry_pause(self, failed: int) -> float:
        """Seconds before the next attempt after `failed` ≥ 1 failed ones: min(cap, d·2^(n−1))."""
        return min(self.retry_delay_cap_seconds, self.retry_delay_seconds * 2.0 ** (failed - 1))


def check_schedule(content: dict[str, Any], where: str) -> Policy | None:
    """The policy of a configuration with a `schedule`, None for one without.

    Raises ConfigError where either block is wrong, or a schedule has no policy. A policy may stand
    without a schedule: that is the file a scheduled run starts from.
    """
    schedule = content.get("schedule")
    settings = content.get("settings") or {}
    policy = settings.get(SETTINGS)
    if schedule is not None:
        _check_times(schedule, f"{where}: schedule")
    elif policy is None:
        return None
    if policy is None:
        raise ConfigError(
            f"{where}: a `schedule` needs `settings: {{{SETTINGS}: …}}`; copy the block from "
            "configs/nightly.yaml."
        )
    return parse(Policy, policy, f"{where}: settings.{SETTINGS}")


def policy_in(content: dict[str, Any], where: str) -> Policy:
    """The policy of a configuration that has one; raises ConfigError where it is wrong."""
    return parse(Policy, content["settings"][SETTINGS], f"{where}: settings.{SETTINGS}")


def check_cron_job(content: dict[str, Any], where: str) -> None:
    """ConfigError for a schedule that Kubernetes cannot keep: it knows cron, and starts one firing
    for all that were missed."""
    for key, value in content["schedule"].items():
        if key not in ("name", "cron_expression") and value is not None:
            raise ConfigError(
                f"{where}: schedule: a CronJob has no `{key}`; say when by `cron_expression`."
            )
    if policy_in(content, where).missed_runs == "run_all":
        raise ConfigError(
            f"{where}: settings.{SETTINGS}: Kubernetes cannot make up for every missed run "
            "(`run_all`); write `run_once` or `skip`."
        )


def check_cron(expression: str, where: str) -> None:
    """ConfigError for anything but the five fields of cron (or @daily and its like)."""
    fields = 1 if expression.startswith("@") else CRON_FIELDS
    if len(expression.split()) != fields or not croniter.is_valid(expression):
        raise ConfigError(
            f"{where}: {expression!r} is not a cron expression; give minute, hour, day, month and "
            "day of the week, such as '0 3 * * *'."
        )
    try:
        croniter(expression).get_next()
    except CroniterBadDateError:
        raise ConfigError(
            f"{where}: {expression!r} names a day that never comes; correct day and month."
        ) from None


def _check_times(schedule: Any, where: str) -> None:
    if not isinstance(schedule, dict):
        raise ConfigError(f"{where}: must hold `key: value` pairs.")
    known = list(Schedule.model_fields)
    for key in schedule:
        if key not in known:
            raise ConfigError(f"{where}: `{key}` is not a known key; {nearest(str(key), known)}")
    if "name" not in schedule:
        raise ConfigError(f"{where}: `name` is missing; `zenml pipeline schedule …` asks for it.")
    if "catchup" in schedule:
        raise ConfigError(
            f"{where}: `catchup` is said by `missed_runs` in settings.{SETTINGS}; remove it."
        )
    kinds = ("cron_expression", "interval_second", "run_once_start_time")
    given = [key for key in kinds if schedule.get(key) is not None]
    if len(given) != 1:
        raise ConfigError(f"{where}: give exactly one of {', '.join(f'`{key}`' for key in kinds)}.")
    if given == ["cron_expression"]:
        check_cron(str(schedule["cron_expression"]), where)
    try:
        Schedule.model_validate(schedule)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {message}") from None
