"""What a person sees when a run ends: the report in outputs/, one table, where to look next."""

import json
import shutil
from pathlib import Path

from rich.console import Console
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse

from mutualctr.evaluation.terminal import render_table

OUTPUTS = Path("outputs")
TABLE_WIDTH = 100
"""Columns that the table needs; used where the output goes to a file, which has no width."""


def present(run: PipelineRunResponse) -> None:
    """Copy the report of a finished run to outputs/<run>/, point outputs/latest at it, print it.

    A run that another machine is still working on has no report yet and shows nothing.
    """
    run = run.get_hydrated_version() if run.status != ExecutionStatus.COMPLETED else run
    if run.status != ExecutionStatus.COMPLETED:
        return
    report = run.steps["evaluate"].outputs["report"][0].load()
    folder = OUTPUTS / run.name
    shutil.copytree(report.folder, folder, dirs_exist_ok=True)
    _point(OUTPUTS / "latest", run.name)
    numbers = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=TABLE_WIDTH)
    console.print(render_table(numbers))
    console.print(f"Report: {folder / 'report.html'} (also outputs/latest/report.html)")
    console.print("Models, runs and curves: `make ui`")


def present_study(run: PipelineRunResponse) -> None:
    """Copy the study's pages to outputs/<run>/, point outputs/latest-study at them, print what was
    found."""
    run = run.get_hydrated_version() if run.status != ExecutionStatus.COMPLETED else run
    if run.status != ExecutionStatus.COMPLETED:
        return
    report = run.steps["study"].outputs["study"][0].load()
    folder = OUTPUTS / run.name
    shutil.copytree(report.folder, folder, dirs_exist_ok=True)
    _point(OUTPUTS / "latest-study", run.name)
    console = Console()
    for sentence in report.findings:
        console.print(sentence, highlight=False)
    console.print(f"Study: {folder / 'study.html'} (also outputs/latest-study/study.html)")


def present_tuning(run: PipelineRunResponse) -> None:
    """Copy what a search found to outputs/<run>/, point outputs/latest-tune at it, print it."""
    run = run.get_hydrated_version() if run.status != ExecutionStatus.COMPLETED else run
    if run.status != ExecutionStatus.COMPLETED:
        return
    tuning = run.steps["tune"].outputs["tuning"][0].load()
    folder = OUTPUTS / run.name
    shutil.copytree(tuning.folder, folder, dirs_exist_ok=True)
    _point(OUTPUTS / "latest-tune", run.name)
    console = Console()
    console.print(tuning.found, highlight=False)
    console.print(f"Run it: zenml pipeline run dml_finetune -c {folder / 'tuned.yaml'}")


def _point(link: Path, target: str) -> None:
    """Replace the link in one move, so that it always leads somewhere."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target, target_is_directory=True)
    fresh.replace(link)
