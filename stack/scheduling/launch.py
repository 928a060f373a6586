"""One firing: `zenml pipeline run` in a process of its own, compiled anew.

Never the frozen snapshot: the source's fingerprint is taken when a run is compiled, so a frozen
one would find yesterday's cache and train on yesterday's clicks.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from mutualctr.errors import StackError
from mutualctr.files import replacing
from stack.process import identity
from stack.scheduling.scheduler import Job
from stack.scheduling.store import ORIGIN, changed_since, home, snapshot_of
from stack.telling import SCHEDULED, check_alerts, tell_failure

KEPT_LOGS = 60
"""Output files per schedule; older ones go when a run starts."""

logger = logging.getLogger("mutualctr.scheduler")


class PipelineProcess:
    """A pipeline run under way."""

    def __init__(self, child: subprocess.Popen[bytes], log: Path) -> None:
        self._child = child
        self._log = log
        self.process = identity(child.pid)

    def code(self) -> int | None:
        """Exit code, None while it is going on."""
        return self._child.poll()

    def where(self) -> str:
        """The file with its output."""
        return str(self._log)

    def why(self) -> str:
        """The signal that killed it, else its own last word."""
        code = self._child.returncode
        if code < 0:
            return f"it was killed by {signal.Signals(-code).name}; see {self._log}"
        return f"{last_word(self._log)} See {self._log}"


def last_word(log: Path) -> str:
    """The sentence that a run's output ends with: its last `Error: …`, else its last line."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("Error: ")] or lines
    return said[-1] if said else "It said nothing."


def launch(job: Job, due: datetime) -> PipelineProcess:
    """Start the pipeline; its output goes to a file named by the due time.

    It gets a process group of its own: a Ctrl-C meant for the scheduler does not reach it.
    """
    command, working_directory = firing(job.schedule, job.name)
    folder = home() / job.schedule
    log = folder / f"{due:%Y%m%dT%H%M%SZ}.log"
    for old in sorted(folder.glob("*.log"))[: -(KEPT_LOGS - 1)]:
        old.unlink()
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            cwd=working_directory,
            env=os.environ | {"ZENML_LOGGING_COLORS_DISABLED": "true", SCHEDULED: "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return PipelineProcess(child, log)


def firing(schedule: str, name: str) -> tuple[list[str], Path]:
    """The command of one run and where to run it: the stored configuration, on its own stack.

    Raises ConfigError for a schedule without one, StackError where its stack is gone.
    """
    origin = snapshot_of(schedule).pipeline_configuration.extra[ORIGIN]
    if sentence := changed_since(origin):
        logger.warning("%s: %s", name, sentence)
    return stored_run(schedule, name), Path(origin["working_directory"])


def stored_run(
    schedule: str, name: str, settings: Mapping[str, dict[str, Any]] = MappingProxyType({})
) -> list[str]:
    """Write the stored configuration out, with further settings, and give the command that runs it.

    Raises as `firing`.
    """
    snapshot = snapshot_of(schedule)
    if snapshot.stack is None:
        raise StackError(f"The stack that schedule `{name}` was made on is gone; make it anew.")
    content = snapshot.pipeline_configuration.extra[ORIGIN]["content"]
    content = content | {"tags": [*(content.get("tags") or []), f"schedule-{name}"]}
    content |= {"settings": {**content["settings"], **settings}}
    config = home() / schedule / "run.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    with replacing(config) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    # The door has the pipeline's name: `zenml pipeline run dml_finetune`.
    arguments = [snapshot.pipeline.name, "-c", str(config), "-s", str(snapshot.stack.id)]
    zenml = Path(sys.executable).with_name("zenml")
    return [str(zenml), "pipeline", "run", *arguments]


def tell_given_up(job: Job, due: datetime, sentence: str) -> None:
    """Tell whom the schedule's stored configuration names, from the folder its runs start in."""
    snapshot = snapshot_of(job.schedule)
    origin = snapshot.pipeline_configuration.extra[ORIGIN]
    with contextlib.chdir(origin["working_directory"]):
        alerts = check_alerts(origin["content"], f"schedule {job.name}")
        tell_failure(alerts, snapshot.pipeline.name, sentence)
