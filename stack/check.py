"""Is the active stack one that the pipeline can run on?"""

from zenml.client import Client

from mutualctr.errors import StackError


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


def check_can_schedule(name: str) -> None:
    """Raise StackError where the stack's orchestrator takes no schedule, or the name is taken."""
    client = Client()
    if not client.active_stack.orchestrator.config.is_schedulable:
        raise StackError(
            f"The orchestrator of the active ZenML stack `{client.active_stack_model.name}` takes "
            "no schedule; run `make setup` for a local stack that does."
        )
    if client.list_schedules(name=name).total:
        raise StackError(
            f"There is a schedule `{name}` already; `zenml pipeline schedule delete {name}` it "
            "first, or give this one another name."
        )
