"""A version's own object in this process, with the code that is imported here."""

import warnings
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient


def load_served(client: MlflowClient, version: ModelVersion) -> Any:
    """The `ClickProbability` of `serving.py`, past MLflow's check of every single value."""
    mlflow.set_registry_uri(client.tracking_uri)
    mlflow.set_tracking_uri(client.tracking_uri)
    with warnings.catch_warnings(action="ignore"):
        model = mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}")
    return model.unwrap_python_model()
