"""A version of the registry as an ONNX file, with the feature map that makes its ids beside it."""

from pathlib import Path

import numpy as np
from mlflow.tracking import MlflowClient

from mutualctr.errors import RegistryError
from mutualctr.registry.aliases import find_version
from mutualctr.registry.load import load_served
from mutualctr.registry.onnx_export import INPUT, export_onnx

CHECKED_ROWS = 1000
TOLERANCE = 1e-5
"""Largest difference of a probability between ONNX and our engine."""


def export_version(client: MlflowClient, name: str, path: Path) -> tuple[Path, float]:
    """Write `name` (`ctr@champion`, `ctr/3`) to `path`, and its feature map to `path`.features/.

    The graph takes ids and gives logits. It is run with onnxruntime on random ids before it is
    believed; returned are the folder of the feature map and the largest difference found.

    Raises RegistryError for no such version or one that differs by more than `TOLERANCE`,
    StackError where the packages of the `onnx` extra are absent.
    """
    version = find_version(client, name)
    served = load_served(client, version)
    size_F = np.array([field.size for field in served.features.fields])
    export_onnx(served.model, len(size_F), path)
    import onnxruntime

    draw = np.random.default_rng(0)
    local_BF = draw.integers(1, size_F, size=(CHECKED_ROWS, len(size_F)))
    ids_BF = (local_BF + served.features.offset_F).astype(np.int32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logit_B,) = session.run(None, {INPUT: ids_BF})
    probability_B = 1 / (1 + np.exp(-logit_B.astype(np.float64)))
    apart = float(np.abs(probability_B - served.predict_encoded(ids_BF)).max())
    if not apart <= TOLERANCE:
        path.unlink()
        raise RegistryError(
            f"{version.name}/{version.version} as ONNX differs by {apart:.1e} from the engine, and "
            f"{TOLERANCE:g} is allowed; serve it by `mlflow models serve` instead."
        )
    folder = path.with_name(f"{path.name}.features")
    served.features.save(folder)
    return folder, apart
