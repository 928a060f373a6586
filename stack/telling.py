"""What happened in a run, as messages for whoever asked to be told."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse

from mutualctr.alerts.config import Alert, Event, Secret, parse_alerts
from mutualctr.alerts.send import Message, tell
from mutualctr.closed import nearest
from mutualctr.errors import ConfigError

KEY = "alerts"
SCHEDULED = "MUTUALCTR_SCHEDULED"
"""Set in the environment of runs that the scheduler starts: it tells of a failure itself, once all
attempts are done, and also where the run was killed."""
DECISIONS: dict[str, Event] = {"promoted": "promotion", "kept": "kept"}
"""The gate's decision as an event; any other (the champion itself ran again) is no news."""


def check_alerts(content: dict[str, Any], where: str) -> list[Alert]:
    """The alerts under `extra` of a run's file. Raises ConfigError; `extra` holds nothing else."""
    extra = content.get("extra") or {}
    for key in extra:
        if key != KEY:
            raise ConfigError(f"{where}: extra: `{key}` is not a known key; {nearest(key, [KEY])}")
    return parse_alerts(extra.get(KEY), f"{where}: extra.{KEY}")


def told_by_scheduler() -> bool:
    """Is it the scheduler that tells of this run's failure?"""
    return SCHEDULED in os.environ


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def tell_failure(alerts: list[Alert], pipeline: str, sentence: str) -> None:
    """One message: the run failed, and why."""
    tell(alerts, [_message("failure", pipeline, None, sentence)], secret_value)


def tell_alarm(alerts: list[Alert], pipeline: str, run: str, sentence: str) -> None:
    """One message: thresholds that were crossed, and what follows from it."""
    tell(alerts, [_message("alarm", pipeline, run, sentence)], secret_value)


def tell_outcome(alerts: list[Alert], pipeline: str, run: PipelineRunResponse) -> None:
    """What a finished run decided and what its contract warned of; nothing new says nothing."""
    if alerts and run.status == ExecutionStatus.COMPLETED:
        tell(alerts, _news(pipeline, run), secret_value)


def secret_value(secret: Secret) -> str:
    """Read it where it lies. Raises ConfigError where there is none."""
    if secret.env is not None:
        if secret.env not in os.environ:
            raise ConfigError(f"The environment variable {secret.env} of an alert is not set.")
        return os.environ[secret.env]
    assert secret.zenml is not None
    name, key = secret.zenml.split(".")
    try:
        return Client().get_secret(name).secret_values[key]
    except KeyError:
        raise ConfigError(
            f"ZenML has no secret {secret.zenml}; `zenml secret create {name} --{key}=…`."
        ) from None


def _news(pipeline: str, run: PipelineRunResponse) -> Iterator[Message]:
    validate = run.steps.get("validate")
    if validate is not None and validate.status == ExecutionStatus.COMPLETED:
        validation = validate.outputs["validation"][0].load()
        if validation.warnings:
            yield _message(
                "drift",
                pipeline,
                run.name,
                f"{validation.warnings} expectations of the contract, drift among them, warn of "
                f"this run's data; see {validation.folder / 'validation.html'}",
            )
    promote = run.steps.get("promote")
    if promote is not None and promote.status == ExecutionStatus.COMPLETED:
        promotion = promote.outputs["promotion"][0].load()
        if promotion.decision in DECISIONS:
            event = DECISIONS[promotion.decision]
            yield _message(event, pipeline, run.name, promotion.sentence)


def _message(event: Event, pipeline: str, run: str | None, sentence: str) -> Message:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Message(event, pipeline, run, now, sentence)
