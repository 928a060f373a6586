"""A small run through the real command, and what it left behind."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ZENML = Path(sys.executable).parent / "zenml"


def small_config(source: str = "clicks.tsv") -> dict[str, Any]:
    """Two architectures, a tiny network, one epoch: seconds, but every step is real."""
    content = yaml.safe_load((ROOT / "zenml_config.yaml").read_text())
    content["run_name"] = "small-{date}-{time}"
    content["parameters"] |= {
        "data": {"contract": "criteo", "source": source},
        "network": {"embedding_dim": 4, "hidden": [16, 8], "dropout": 0.0},
        "peers": [{"architecture": "deepfm", "seed": 1}, {"architecture": "dcn", "seed": 2}],
        "pretraining": {"epochs": 2, "lr": 1e-3, "together": False},
        "registry": {"prefix": "small"},
    }
    # Six hundred test rows on a busy machine: what is tested is that rules are kept, not which.
    content["parameters"]["promotion"] |= {
        "auc_at_least": 0.4,
        "auc_gain_at_least": -0.5,
        "logloss_rise_at_most": 1.0,
        "psi_at_most": 100.0,
        "pcoc": {"low": 0.1, "high": 10.0},
        "latency": {"rows": 1, "calls": 20, "p50_ms_at_most": 1e4, "p99_ms_at_most": 1e4},
        "smoke": {"rows": 300, "tolerance": 1e-6},
    }
    return content


def score_config(source: str, model: str, labelled: bool = True) -> dict[str, Any]:
    """Batch scoring of a file with a registered model."""
    content = yaml.safe_load((ROOT / "configs" / "score" / "generated.yaml").read_text())
    content["run_name"] = "score-{date}-{time}"
    data = {"contract": "criteo", "source": source}
    return content | {"parameters": {"data": data, "labelled": labelled, "model": model}}


@dataclass(frozen=True)
class Finished:
    """What a run of the command printed and wrote."""

    code: int
    output: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "outputs" / "latest" / "report.json").read_text())

    @property
    def started(self) -> list[str]:
        """Steps that really ran, in order."""
        lines = [line for line in self.output.splitlines() if line.endswith("has started.")]
        return [line.split()[1].strip("`") for line in lines]

    @property
    def cached(self) -> list[str]:
        lines = [line for line in self.output.splitlines() if "cached version" in line]
        return [line.split()[-1].strip("`.") for line in lines]


def run_command(
    content: dict[str, Any], folder: Path, data: Path, door: str = "dml_finetune"
) -> Finished:
    """`zenml pipeline run <door> -c …` in its own process and working folder."""
    config = folder / "run.yaml"
    config.write_text(yaml.safe_dump(content))
    done = subprocess.run(
        [ZENML, "pipeline", "run", door, "-c", config],
        cwd=folder,
        env=os.environ | {"MUTUALCTR_DATA": str(data), "ZENML_LOGGING_COLORS_DISABLED": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return Finished(done.returncode, done.stdout, folder)
