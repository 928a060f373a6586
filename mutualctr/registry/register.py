"""Every trained peer becomes a version of a registered model, once."""

import os
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

from mutualctr.data import features
from mutualctr.registry.tracking import Tracker

ROOT = Path(__file__).resolve().parents[2]
SERVING = Path(__file__).with_name("serving.py")
SERVED_PACKAGES = (
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "safetensors",
    "torch",
)
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # bars for local copies
KEY_TAG = "mutualctr_key"


def register_version(
    tracker: Tracker,
    run_id: str,
    name: str,
    key: str,
    checkpoint: Path,
    feature_folder: Path,
    tags: Mapping[str, Any],
) -> ModelVersion:
    """Log the peer as a pyfunc under its run and make it a version of `name`.

    `key` is a digest of what is served: a version with the same key is returned instead of making
    a second one, so neither a retry nor a cached peer registers twice.
    """
    client = tracker.client
    existing = client.search_model_versions(f"name = '{name}' and tags.{KEY_TAG} = '{key}'")
    if existing:
        return existing[0]
    with mlflow.start_run(run_id=run_id, nested=True), warnings.catch_warnings():
        # The signature is complete without an example, and an example would be a row of the data.
        warnings.filterwarnings("ignore", message=".*input example was not provided")
        logged = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(SERVING),
            artifacts={"checkpoint": str(checkpoint), "features": str(feature_folder)},
            code_paths=[str(ROOT / "mutualctr"), str(ROOT / "models")],
            pip_requirements=[f"{package}=={version(package)}" for package in SERVED_PACKAGES],
            signature=signature(feature_folder),
        )
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    return client.create_model_version(
        name,
        source=logged.model_uri,
        run_id=run_id,
        model_id=logged.model_id,
        tags={KEY_TAG: key} | {tag: str(value) for tag, value in tags.items()},
    )


def signature(feature_folder: Path) -> ModelSignature:
    """Raw columns by name, any type (text, numbers, missing); out comes one double per row."""
    columns = features.load(feature_folder).raw_columns
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name) for name in columns]),
        outputs=Schema([ColSpec(DataType.double)]),
    )
