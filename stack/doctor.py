"""Is everything in order on this machine? One finding, one sentence, one way to mend it."""

import platform
import shutil
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from packaging.requirements import Requirement
from zenml.client import Client
from zenml.enums import ExecutionStatus, StackComponentType
from zenml.models import PipelineRunResponse

from mutualctr.errors import StackError
from stack.check import check_stack
from stack.interrupt import end_run, unfinished_runs
from stack.process import PROCESS, alive
from stack.scheduling.policy import FLAVOR
from stack.scratch import scratch_parent
from stack.setup import ROOT, tracking_uri

GIB = 1 << 30
MIN_FREE_BYTES = 5 * GIB
"""Less than this ends a run on the full Criteo file, whose events alone take about as much."""
MIN_PYTHON = (3, 11)
LOCAL_FLAVORS = ("local", FLAVOR)
ORPHAN_SECONDS = 24 * 3600.0
"""A scratch folder untouched for this long belongs to nobody, where no run is under way."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    kind: Literal["good", "mended", "bad"]
    sentence: str


def examine(fix: bool) -> Iterator[Finding]:
    """Look at versions, stack, stores, disk, runs and scratch folders, in that order.

    With `fix`, runs whose process is dead are marked failed and orphan scratch folders removed.
    """
    yield from _versions()
    try:
        check_stack()
    except StackError as error:
        yield Finding("bad", str(error))
        return
    yield Finding("good", f"The active ZenML stack is `{Client().active_stack_model.name}`.")
    yield _tracking()
    yield from _disk()
    yield from _runs(fix)
    yield from _scratch(fix)


def _versions() -> Iterator[Finding]:
    if sys.version_info < MIN_PYTHON:
        yield Finding("bad", "Python is older than 3.11; make the venv anew with a newer one.")
    wrong = []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in map(Requirement, project["dependencies"]):
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, not {requirement.specifier}")
    if wrong:
        yield Finding(
            "bad", f"Packages differ from pyproject.toml ({'; '.join(wrong)}); `make setup`."
        )
    else:
        yield Finding("good", "Python and the packages are those the project asks for.")


def _tracking() -> Finding:
    uri = tracking_uri()
    try:
        MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        return Finding("bad", f"MLflow's store {uri} does not answer ({reason}); start or mend it.")
    return Finding("good", f"MLflow's store answers: {uri}")


def _disk() -> Iterator[Finding]:
    store = Client().active_stack.artifact_store
    if not store.config.is_local:
        return
    free = shutil.disk_usage(store.path).free
    spoken = f"{free / GIB:.1f} GiB are free at the artifact store {store.path}"
    if free < MIN_FREE_BYTES:
        yield Finding(
            "bad", f"Only {spoken}; make room, or delete old runs with `zenml artifact prune`."
        )
    else:
        yield Finding("good", f"{spoken}.")


def _runs(fix: bool) -> Iterator[Finding]:
    stale = [run for run in _unfinished_here() if not alive(run.config.extra[PROCESS]["process"])]
    for run in stale:
        if fix:
            end_run(run, ExecutionStatus.FAILED, "its process died; found by mutualctr doctor")
            yield Finding("mended", f"Run {run.name}, whose process is dead, is marked as failed.")
        else:
            yield Finding(
                "bad",
                f"Run {run.name} is `{run.status.value}` but its process is dead; "
                "`mutualctr doctor --fix` marks it as failed.",
            )
    if not stale:
        yield Finding("good", "Every run that is said to be under way is.")


def _scratch(fix: bool) -> Iterator[Finding]:
    if any(alive(run.config.extra[PROCESS]["process"]) for run in _unfinished_here()):
        yield Finding("good", "A run is under way; scratch folders are not looked at.")
        return
    orphans = [path for path in scratch_parent().glob("mutualctr-*") if _old(path)]
    for path in orphans:
        if fix:
            shutil.rmtree(path)
            yield Finding("mended", f"Orphan scratch folder {path} is removed.")
        else:
            yield Finding(
                "bad", f"Scratch folder {path} is an orphan; `mutualctr doctor --fix` removes it."
            )
    if not orphans:
        yield Finding("good", "No orphan scratch folders.")


def _unfinished_here() -> list[PipelineRunResponse]:
    """Unfinished runs of a local orchestrator on this machine: only they live in a process here."""
    return [
        run
        for run in unfinished_runs()
        if run.config.extra.get(PROCESS, {}).get("host") == platform.node()
        and run.stack is not None
        and run.stack.components[StackComponentType.ORCHESTRATOR][0].flavor_name in LOCAL_FLAVORS
    ]


def _old(path: Path) -> bool:
    newest = max(entry.stat().st_mtime for entry in (path, *path.rglob("*")))
    return time.time() - newest > ORPHAN_SECONDS
