"""A version answers in a process of its own, from the registry alone."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from mutualctr.errors import RegistryError

PROGRAM = Path(__file__).with_name("score_file.py")


@dataclass(frozen=True, eq=False)
class Answer:
    """What a version said. Shapes: probability_B float64, in the order of the rows.

    Latencies are of calls of the asked size through MLflow's predict; NaN where none were asked.
    """

    probability_B: np.ndarray
    load_s: float
    p50_ms: float
    p99_ms: float


def answer(
    client: MlflowClient,
    version: ModelVersion,
    rows: Path,
    *,
    calls: int = 0,
    call_rows: int = 1,
    bulk: bool = False,
) -> Answer:
    """Load `version` and score a Parquet file of raw rows; see `score_file.py`.

    Raises RegistryError with the last line of what went wrong there.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "probability.npy"
        uri = f"models:/{version.name}/{version.version}"
        arguments = [uri, rows, out, calls, call_rows, int(bulk)]
        done = subprocess.run(
            [sys.executable, "-P", PROGRAM, *map(str, arguments)],
            cwd=folder,
            env=os.environ | {"MLFLOW_TRACKING_URI": client.tracking_uri, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            last = (done.stderr.strip() or "it was ended from outside").splitlines()[-1]
            raise RegistryError(
                f"{version.name}/{version.version} cannot score these rows ({last.strip()}); "
                "register it again, or compare with another version."
            )
        figures = json.loads(done.stdout.splitlines()[-1])
        probability_B = np.load(out, allow_pickle=False)
    return Answer(
        probability_B,
        figures["load_s"],
        figures.get("p50_ms", float("nan")),
        figures.get("p99_ms", float("nan")),
    )
