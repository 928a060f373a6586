"""What a version learned from, as its run left it in MLflow."""

import json
import tempfile
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from mutualctr.data.snapshot import SNAPSHOT_FILE, Snapshot, load_snapshot
from mutualctr.errors import RegistryError
from mutualctr.evaluation.drift import ScoreBins

BINS_TAG = "probability_bins"
"""On a version: `ScoreBins` of the probabilities that it gave to its test rows at the gate."""


def training_snapshot(client: MlflowClient, version: ModelVersion) -> Snapshot:
    """The snapshot of the events of the run that registered the version.

    Raises RegistryError where that run, or the snapshot in it, is gone.
    """
    name = f"{version.name}/{version.version}"
    try:
        run = client.get_run(version.run_id)
        parent = run.data.tags.get(MLFLOW_PARENT_RUN_ID, version.run_id)
        with tempfile.TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(
                run_id=parent,
                artifact_path=f"validation/{SNAPSHOT_FILE}",
                dst_path=folder,
                tracking_uri=client.tracking_uri,
            )
            return load_snapshot(Path(path))
    except (MlflowException, OSError):
        raise RegistryError(
            f"The run that registered {name} holds no validation/{SNAPSHOT_FILE}; let "
            "data.reference name a snapshot."
        ) from None


def score_bins(version: ModelVersion) -> ScoreBins | None:
    """The bins that the gate wrote on the version; None for one that never came to it."""
    text = version.tags.get(BINS_TAG)
    return None if text is None else ScoreBins.model_validate(json.loads(text))
