"""Every trained peer becomes a version of a registered model, once."""

import tempfile
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
from mutualctr.files import file_digest, folder_digest
from mutualctr.registry.once import Artifact, version_once
from mutualctr.registry.served_code import SERVING, served_digest, write_archive
from mutualctr.registry.tracking import Tracker
from mutualctr.training.checkpoint import WEIGHTS

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


def content_key(label: str, checkpoint: Path, feature_folder: Path) -> str:
    """What a version serves, in a word: the label, weights, feature map, the code that reads them.

    Code belongs to it: a version carries a copy, so mended code needs a version of its own.
    """
    weights, features_ = file_digest(checkpoint / WEIGHTS), folder_digest(feature_folder)
    return f"{label}-{weights[:32]}-{features_[:16]}-{served_digest()[:16]}"


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

    `key` is the `content_key`: a version with the same key is returned instead of making
    a second one, so neither a retry nor a cached peer nor a run beside this one registers twice.
    """

    def artifact() -> Artifact:
        return log_model(run_id, name, checkpoint, feature_folder)

    return version_once(tracker.client, name, key, artifact, tags)


def log_model(run_id: str, name: str, checkpoint: Path, feature_folder: Path) -> Artifact:
    """Log a checkpoint and its feature map as a pyfunc under a run; nothing is registered."""
    with (
        mlflow.start_run(run_id=run_id, nested=True),
        warnings.catch_warnings(),
        tempfile.TemporaryDirectory() as folder,
    ):
        # The signature is complete without an example, and an example would be a row of the data.
        warnings.filterwarnings("ignore", message=".*input example was not provided")
        logged = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(SERVING),
            artifacts={"checkpoint": str(checkpoint), "features": str(feature_folder)},
            code_paths=[str(write_archive(Path(folder)))],
            pip_requirements=[f"{package}=={version(package)}" for package in SERVED_PACKAGES],
            signature=signature(feature_folder),
        )
    return Artifact(logged.model_uri, run_id, logged.model_id)


def signature(feature_folder: Path) -> ModelSignature:
    """Raw columns by name, any type (text, numbers, missing); out comes one double per row."""
    columns = features.load(feature_folder).raw_columns
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name) for name in columns]),
        outputs=Schema([ColSpec(DataType.double)]),
    )
