"""What all tests share: a ZenML and MLflow of their own, no telemetry, test helpers importable.

The environment is set before anything imports ZenML. ZenML's repository is a temporary folder, so
the checkout's own active stack is never touched; the code is still this checkout's.
"""

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong; and a red run must be red again when it is looked at.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = tempfile.TemporaryDirectory(prefix="mutualctr-tests-")

os.environ |= {
    "ZENML_CONFIG_PATH": f"{SCRATCH.name}/zenml",
    "ZENML_REPOSITORY_PATH": f"{SCRATCH.name}/repository",
    "ZENML_CUSTOM_SOURCE_ROOT": str(ROOT),
    "ZENML_ANALYTICS_OPT_IN": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MPLBACKEND": "Agg",
    "XDG_CACHE_HOME": f"{SCRATCH.name}/cache",
    "PYTHONPATH": str(ROOT),
}
if "PYTEST_XDIST_WORKER" in os.environ:
    # Files run side by side: a thread that waits must leave its core to the other's work.
    os.environ["OMP_WAIT_POLICY"] = "passive"
for room in sorted(Path(__file__).parent.iterdir()):
    if room.is_dir():
        sys.path.append(str(room))


@pytest.fixture(scope="session")
def tracking_uri() -> str:
    """The local stack, set up once; where its MLflow keeps runs and models."""
    repository = Path(os.environ["ZENML_REPOSITORY_PATH"])
    repository.mkdir()
    from stack.setup import set_up_stack

    return set_up_stack(repository)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory, request) -> Path:
    """Real samples, where there are any: $MUTUALCTR_DATA, else ../shared/data."""
    folder = Path(os.environ.get("MUTUALCTR_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "criteo_dev.tsv.gz").exists():
        pytest.skip(f"the real samples are not at {folder}; set MUTUALCTR_DATA")
    return folder
