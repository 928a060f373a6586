"""A version's files behind the code of this process: for many rows, and for export.

A version carries its code, and MLflow's loader would put that in front of ours: beside modules
that are imported already, half of each would run. So its files are read by our code alone, and
what our code cannot read is refused.
"""

from pathlib import Path
from types import SimpleNamespace

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import Model
from mlflow.tracking import MlflowClient
from pydantic import ValidationError

from mutualctr.errors import RegistryError
from mutualctr.registry.serving import ClickProbability


def load_served(client: MlflowClient, version: ModelVersion) -> ClickProbability:
    """The version, downloaded where its store is a remote one.

    Raises RegistryError for files in a format of another time.
    """
    name = f"{version.name}/{version.version}"
    files = files_of(client, version)
    served = ClickProbability()
    try:
        served.load_context(SimpleNamespace(artifacts=files))
    except (AssertionError, KeyError, RuntimeError, ValidationError):
        raise RegistryError(
            f"{name} was written by a mutualctr that this one cannot read; run dml_finetune again, "
            "or score through `mlflow models serve`, which runs the code that the version carries."
        ) from None
    return served


def files_of(
    client: MlflowClient, version: ModelVersion, folder: Path | None = None
) -> dict[str, Path]:
    """The version's `checkpoint` and `features`, copied into the folder where one is given."""
    uri = client.get_model_version_download_uri(version.name, str(version.version))
    found = mlflow.artifacts.download_artifacts(
        artifact_uri=uri, dst_path=folder and str(folder), tracking_uri=client.tracking_uri
    )
    kept = Model.load(found).flavors["python_function"]["artifacts"]
    return {key: Path(found) / entry["path"] for key, entry in kept.items()}
