"""How an alarm starts a retraining: a schedule becomes due, or a file is run."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mutualctr.closed import nearest, read_yaml
from mutualctr.config import RunConfig
from mutualctr.errors import ConfigError, StackError
from stack.pipeline import check_config
from stack.scheduling.scheduler import Job
from stack.scheduling.store import active_jobs, make_due

KEY = "alarms.retrain"


@dataclass(frozen=True)
class Retraining:
    """What was asked for."""

    sentence: str
    command: tuple[str, ...] = ()
    """To be run here and now; empty where the scheduler does it."""


def check_retraining(target: str | None) -> None:
    """ConfigError where `alarms.retrain` is neither an active schedule nor a file that runs."""
    if target is None:
        return
    if not _is_file(target):
        _job(target)
        return
    check_config(Path(target), RunConfig)
    if name := (read_yaml(Path(target)).get("schedule") or {}).get("name"):
        raise ConfigError(
            f"{KEY}: {target} has a `schedule`, and running it would register that, not train; "
            f"run it once yourself and write `retrain: {name}`."
        )


def ask_for_retraining(target: str) -> Retraining:
    """Make the schedule due, or say what to run. Raises ConfigError as `check_retraining`."""
    if _is_file(target):
        zenml = Path(sys.executable).with_name("zenml")
        command = (str(zenml), "pipeline", "run", "dml_finetune", "-c", target)
        return Retraining(f"dml_finetune is run with {target}.", command)
    if make_due(_job(target)):
        return Retraining(f"Schedule `{target}` is due now; `mutualctr scheduler` starts it.")
    return Retraining(f"A run of schedule `{target}` is under way or due already.")


def run_here(retraining: Retraining) -> None:
    """Run the command, if there is one, to its end. Raises StackError where it fails."""
    if retraining.command and (code := subprocess.call(retraining.command)):
        raise StackError(
            f"The retraining that the alarm started failed with code {code}; its output is above."
        )


def _is_file(target: str) -> bool:
    return target.endswith((".yaml", ".yml"))


def _job(name: str) -> Job:
    jobs = {job.name: job for job in active_jobs()}
    if name not in jobs:
        known = nearest(name, list(jobs)) if jobs else "there is none."
        raise ConfigError(
            f"{KEY}: no schedule `{name}` of the local scheduler is active; {known} Run a file "
            "with that `schedule` once, or give the file of a run."
        )
    return jobs[name]
