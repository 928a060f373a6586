"""The MLflow run that ZenML opened for this step."""

import mlflow
from mlflow.tracking import MlflowClient

from mutualctr.errors import StackError
from mutualctr.registry.tracking import Tracker


def current_tracker() -> Tracker:
    """The step's run as the parent for children.

    Raises StackError when the step runs without an MLflow experiment tracker.
    """
    run = mlflow.active_run()
    if run is None:
        raise StackError(
            "The active ZenML stack has no MLflow experiment tracker; run `make setup`, or "
            "register a stack that has one and `zenml stack set` it."
        )
    return Tracker(MlflowClient(), run.info.run_id)


def registry_client() -> MlflowClient:
    """A client of the MLflow that the active stack tracks with. Raises as `current_tracker`."""
    return current_tracker().client
