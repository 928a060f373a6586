"""What all tests share: no telemetry, and test helpers importable from beside the test."""

import os
import sys
from pathlib import Path

os.environ["ZENML_ANALYTICS_OPT_IN"] = "false"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
for room in sorted(Path(__file__).parent.iterdir()):
    if room.is_dir():
        sys.path.append(str(room))
