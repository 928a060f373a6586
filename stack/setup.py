"""The local stack: artifacts on disk, MLflow in SQLite beside them. Idempotent."""

import warnings
from pathlib import Path
from typing import Any
from uuid import UUID

from mlflow.tracking import MlflowClient
from zenml.client import Client
from zenml.enums import StackComponentType

from stack.check import check_stack
from stack.scheduling.policy import FLAVOR

STACK = "mutualctr"
ROOT = Path(__file__).resolve().parent.parent
PEERS = "peers"
SCHEDULED = "stack.scheduling.orchestrator.LocalScheduledFlavor"
PARALLEL = "stack.parallel_orchestrator.LocalParallelFlavor"
SUBPROCESS = "stack.subprocess_operator.SubprocessFlavor"
FLAVORS = {
    StackComponentType.ORCHESTRATOR: FLAVOR,
    StackComponentType.ARTIFACT_STORE: "local",
    StackComponentType.EXPERIMENT_TRACKER: "mlflow",
    StackComponentType.MODEL_REGISTRY: "mlflow",
}


def set_up_stack(root: Path = ROOT, peers_at_once: int = 1) -> str:
    """Make `root` a ZenML repository whose active stack is `mutualctr`; returns the tracking URI.

    The stack is registered once per ZenML store and shared by all checkouts that use it. With
    several peers at once it is `mutualctr-parallel`: the same, with an orchestrator that lets
    steps overlap and the step operator `peers`, which runs so many, each in a process of its own.
    """
    if not (root / ".zen").is_dir():
        Client.initialize(root)
    client = Client()
    client.activate_root(root)
    _flavor(client, SCHEDULED, StackComponentType.ORCHESTRATOR, FLAVOR)
    components = {}
    for kind, flavor in FLAVORS.items():
        components[kind] = _component(client, kind, STACK, flavor, {})
    stack = STACK
    if peers_at_once > 1:
        stack = f"{STACK}-parallel"
        kind = StackComponentType.ORCHESTRATOR
        _flavor(client, PARALLEL, kind, "local_parallel")
        components[kind] = _component(client, kind, stack, "local_parallel", {})
        kind = StackComponentType.STEP_OPERATOR
        _flavor(client, SUBPROCESS, kind, "subprocess")
        slots = {"at_once": peers_at_once}
        components[kind] = _component(client, kind, PEERS, "subprocess", slots)
    if not client.list_stacks(name=stack).total:
        client.create_stack(name=stack, components=components)
    kind = StackComponentType.ORCHESTRATOR
    if client.get_stack(stack).components[kind][0].flavor_name == "local":
        # A stack from before there were schedules.
        client.update_stack(stack, component_updates={kind: components[kind]})
    client.activate_stack(stack)
    uri = tracking_uri()
    # The first process to touch an SQLite store builds its schema; done here, no two race for it.
    MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    return uri


def _component(
    client: Client, kind: StackComponentType, name: str, flavor: str, configuration: dict[str, Any]
) -> UUID:
    """The component of that name, made where there is none, configured like this."""
    found = client.list_stack_components(type=kind, name=name)
    if not found.total:
        return client.create_stack_component(
            name=name, flavor=flavor, component_type=kind, configuration=configuration
        ).id
    if configuration:
        client.update_stack_component(
            name_id_or_prefix=found[0].id, component_type=kind, configuration=configuration
        )
    return found[0].id


def _flavor(client: Client, source: str, kind: StackComponentType, name: str) -> None:
    if not client.list_flavors(name=name).total:
        client.create_flavor(source, kind)


def tracking_uri() -> str:
    """Where the active stack's MLflow tracker keeps its runs.

    Raises StackError where the stack has no tracker.
    """
    with warnings.catch_warnings(action="ignore"):
        tracker = Client().active_stack.experiment_tracker
    if tracker is None:
        check_stack()
    return tracker.get_tracking_uri()
