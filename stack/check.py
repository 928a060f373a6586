"""Is the active stack one that the pipeline can run on?"""

from typing import Any

from zenml.client import Client

from mutualctr.errors import StackError
from stack.kubernetes_flavor import CRON_JOBS
from stack.scheduling.policy import FLAVOR, check_cron_job

FIRED_BY = {
    FLAVOR: "`mutualctr scheduler` fires it",
    CRON_JOBS: "a CronJob of the cluster fires it",
}
"""Per flavour of orchestrator whose schedules start a fresh run, who does."""


def check_stack() -> None:
    """Raise StackError, before anything runs, where the stack lacks a tracker or a registry."""
    stack = Client().active_stack_model
    present = {kind.value for kind in stack.components}
    for kind, words in (
        ("experiment_tracker", "MLflow experiment tracker"),
        ("model_registry", "MLflow model registry"),
    ):
        if kind not in present:
            raise StackError(
                f"The active ZenML stack `{stack.name}` has no {words}; run `make setup` for a "
                "local one, or `zenml stack set` a stack that has it."
            )


def check_can_schedule(content: dict[str, Any], where: str) -> str:
    """Who fires the schedule of that configuration, as a sentence's end.

    Raises StackError where the stack's orchestrator takes no schedule or would run a frozen copy of
    tonight, or the name is taken; ConfigError where a CronJob cannot keep the schedule.
    """
    client = Client()
    name, stack = content["schedule"]["name"], client.active_stack_model.name
    orchestrator = client.active_stack.orchestrator
    if not orchestrator.config.is_schedulable:
        raise StackError(
            f"The orchestrator of the active ZenML stack `{stack}` takes no schedule; run `make "
            "setup` for a local stack that does."
        )
    if orchestrator.flavor not in FIRED_BY:
        raise StackError(
            f"The orchestrator of the active ZenML stack `{stack}` ({orchestrator.flavor}) would "
            "run tonight's clicks again every night, for the fingerprint of the source is frozen "
            f"into what it schedules; those that start afresh are {', '.join(FIRED_BY)}."
        )
    if orchestrator.flavor == CRON_JOBS:
        check_cron_job(content, where)
    if client.list_schedules(name=name).total:
        raise StackError(
            f"There is a schedule `{name}` already; `zenml pipeline schedule delete {name}` it "
            "first, or give this one another name."
        )
    return FIRED_BY[orchestrator.flavor]
