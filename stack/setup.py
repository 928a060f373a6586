"""The local stack: artifacts on disk, MLflow in SQLite beside them. Idempotent."""

import warnings
from pathlib import Path

from mlflow.tracking import MlflowClient
from zenml.client import Client
from zenml.enums import StackComponentType

from stack.scheduling.policy import FLAVOR

STACK = "mutualctr"
ROOT = Path(__file__).resolve().parent.parent
ORCHESTRATOR = "stack.scheduling.orchestrator.LocalScheduledFlavor"
FLAVORS = {
    StackComponentType.ORCHESTRATOR: FLAVOR,
    StackComponentType.ARTIFACT_STORE: "local",
    StackComponentType.EXPERIMENT_TRACKER: "mlflow",
    StackComponentType.MODEL_REGISTRY: "mlflow",
}


def set_up_stack(root: Path = ROOT) -> str:
    """Make `root` a ZenML repository whose active stack is `mutualctr`; returns the tracking URI.

    The stack is registered once per ZenML store and shared by all checkouts that use it.
    """
    if not (root / ".zen").is_dir():
        Client.initialize(root)
    client = Client()
    client.activate_root(root)
    if not client.list_flavors(name=FLAVOR).total:
        client.create_flavor(ORCHESTRATOR, StackComponentType.ORCHESTRATOR)
    components = {}
    for kind, flavor in FLAVORS.items():
        found = client.list_stack_components(type=kind, name=STACK)
        components[kind] = (
            found[0].id
            if found.total
            else client.create_stack_component(
                name=STACK, flavor=flavor, component_type=kind, configuration={}
            ).id
        )
    if not client.list_stacks(name=STACK).total:
        client.create_stack(name=STACK, components=components)
    kind = StackComponentType.ORCHESTRATOR
    if client.get_stack(STACK).components[kind][0].flavor_name == "local":
        # A stack from before there were schedules.
        client.update_stack(STACK, component_updates={kind: components[kind]})
    client.activate_stack(STACK)
    uri = tracking_uri()
    # The first process to touch an SQLite store builds its schema; done here, no two race for it.
    MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    return uri


def tracking_uri() -> str:
    """Where the active stack's MLflow tracker keeps its runs."""
    with warnings.catch_warnings(action="ignore"):
        tracker = Client().active_stack.experiment_tracker
    return tracker.get_tracking_uri()
