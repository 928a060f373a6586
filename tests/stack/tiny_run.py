"""Running the tiny pipeline in a process of its own, and asking ZenML what became of it."""

import os
import subprocess
import sys
from pathlib import Path

import yaml
from click.testing import CliRunner

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ZENML = Path(sys.executable).with_name("zenml")
ENVIRONMENT = {"PYTHONPATH": f"{ROOT}:{HERE}", "ZENML_LOGGING_COLORS_DISABLED": "true"}


def tiny_config(folder: Path, **top: object) -> Path:
    """A complete file whose source is the folder's partitions."""
    content = yaml.safe_load((ROOT / "zenml_config.yaml").read_text())
    content["run_name"] = "tiny-{date}-{time}"
    content["parameters"]["data"] = {
        "contract": "criteo",
        "source": str(folder / "daily"),
        "window": {"days": 2},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content | top))
    return path


def start(folder: Path, *command: str | Path) -> subprocess.Popen[str]:
    """A command in its own process, output to a pipe."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """The output up to the line with the word."""
    output = ""
    for line in process.stdout:
        output += line
        if word in line:
            return output
    raise AssertionError(output)


def finish(folder: Path, *command: str | Path) -> tuple[int, str]:
    """(exit code, output)."""
    process = start(folder, *command)
    output, _ = process.communicate(timeout=280)
    return process.returncode, output


def succeed(folder: Path, *command: str | Path) -> str:
    """The output of a command that must end with 0."""
    code, output = finish(folder, *command)
    assert code == 0, output
    return output


def zenml(*arguments: str) -> tuple[int, str]:
    """(exit code, output) of the command in this process, in the current folder."""
    from zenml.cli.cli import cli

    result = CliRunner().invoke(cli, list(arguments))
    return result.exit_code, result.output


def statuses() -> list[str]:
    """Of the tiny pipeline's runs, oldest first."""
    from zenml.client import Client

    runs = Client().list_pipeline_runs(pipeline="tiny", sort_by="asc:created", size=100)
    return [run.status.value for run in runs]
