"""What a person sees when a run ends: its files in outputs/, one table, where to look next."""

import json
import shutil
from pathlib import Path

from rich.console import Console
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse

from mutualctr.evaluation.terminal import render_gate, render_table
from mutualctr.reference import Reference

OUTPUTS = Path("outputs")
TABLE_WIDTH = 100
"""Columns that the table needs; used where the output goes to a file, which has no width."""


def present_finetune(run: PipelineRunResponse) -> None:
    """Copy report and verdicts of a finished run to outputs/<run>/, point outputs/latest at it.

    A run that another machine is still working on has no report yet and shows nothing.
    """
    run = _finished(run)
    if run is None:
        return
    folder = OUTPUTS / run.name
    shutil.copytree(_output(run, "promote", "promotion").folder, folder, dirs_exist_ok=True)
    numbers = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    gate = numbers["promotion"]
    _point(OUTPUTS / "latest", run.name)
    console = _console()
    console.print(render_table(numbers))
    console.print(render_gate(gate))
    console.print(gate["sentence"], style="bold")
    console.print(f"Report: {folder / 'report.html'} (also outputs/latest/report.html)")
    console.print(f"Gate:   {folder / 'promotion.html'}")
    console.print("Models, runs and curves: `make ui`, `mutualctr models list`")


def present_scores(run: PipelineRunResponse) -> None:
    """Copy the scores of a finished run to outputs/<run>/ and say how many there are."""
    run = _finished(run)
    if run is None:
        return
    scores = _output(run, "score", "scores")
    folder = OUTPUTS / run.name
    shutil.copytree(scores.folder, folder, dirs_exist_ok=True)
    _console().print(f"{scores.rows:,} rows scored by {scores.model}: {folder / 'scores.parquet'}")


def present_monitoring(run: PipelineRunResponse) -> None:
    """Copy the page of a finished monitoring to outputs/<run>/, point outputs/latest-monitor at it,
    say what was found."""
    run = _finished(run)
    if run is None:
        return
    monitoring = _output(run, "monitor", "monitoring")
    folder = OUTPUTS / run.name
    shutil.copytree(monitoring.folder, folder, dirs_exist_ok=True)
    _point(OUTPUTS / "latest-monitor", run.name)
    console = _console()
    console.print(monitoring.sentence, style="bold", highlight=False)
    page = folder / "monitor.html"
    console.print(f"Monitoring: {page} (also outputs/latest-monitor/monitor.html)")


def _finished(run: PipelineRunResponse) -> PipelineRunResponse | None:
    run = run.get_hydrated_version() if run.status != ExecutionStatus.COMPLETED else run
    return run if run.status == ExecutionStatus.COMPLETED else None


def _output(run: PipelineRunResponse, step: str, name: str) -> Reference:
    return run.steps[step].outputs[name][0].load()


def _console() -> Console:
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=TABLE_WIDTH)


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
