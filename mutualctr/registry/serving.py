"""The registered model: raw rows in, click probabilities out, with nothing but the registry.

MLflow runs this file when it loads a version (models-from-code). The version carries the weights
as safetensors, the feature map as JSON and CSV, and the part of the library that is imported here,
in one zip (served_code.py); nothing is pickled.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

if (archive := Path(__file__).parent / "code" / "served.zip").exists():  # beside MLflow's copy only
    sys.path.insert(0, str(archive))

from mutualctr.data import features
from mutualctr.registry.lookup import Lookup
from mutualctr.training import checkpoint
from mutualctr.training.predict import predict_ids

if (
    str(archive) in sys.path
):  # whoever else starts in this process, or from it, wants the whole library
    sys.path.remove(str(archive))

FEW_ROWS = 2048
"""Up to so many rows the prepared tables are faster than Arrow's columns."""


class ClickProbability(PythonModel):
    """A frozen peer behind its feature map."""

    def load_context(self, context: Any) -> None:
        """Read the feature map and the checkpoint from the version's artifacts."""
        self.features = features.load(Path(context.artifacts["features"]))
        self._lookup = Lookup(self.features)
        _, self.model = checkpoint.load(Path(context.artifacts["checkpoint"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> np.ndarray:
        """probability_B float64 for raw rows; columns by name, missing as None, NaN or ''.

        Raises DataError for an absent column or text in an integer column.
        """
        encoder = self._lookup if len(model_input) <= FEW_ROWS else self.features
        return predict_ids(self.model, encoder.encode_frame(model_input))

    def predict_encoded(self, ids_BF: np.ndarray) -> np.ndarray:
        """probability_B float64 for rows that `features` has encoded already."""
        return predict_ids(self.model, ids_BF)


set_model(ClickProbability())
