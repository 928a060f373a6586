"""A whole study: its cells, its record, its pages."""

from collections.abc import Callable
from pathlib import Path

from mutualctr.data.contract import Contract
from mutualctr.reference import Blocks, Events, Split, StudyReport
from mutualctr.registry.tracking import Tracker
from mutualctr.study.answers import findings, headline
from mutualctr.study.config import StudyConfig
from mutualctr.study.pages import FILES, write_study
from mutualctr.study.report import build_study
from mutualctr.study.run import run_study
from mutualctr.study.train import Bench
from mutualctr.versions import versions


def conduct(
    events: Events,
    split: Split,
    blocks: Blocks,
    contract: Contract,
    config: StudyConfig,
    store: Path,
    code: str,
    report: Callable[[int, int, str], None],
    folder: Path,
) -> StudyReport:
    """Train what is missing, measure, write the study's files (pages.py)."""
    bench = Bench(blocks, config, store, code)
    dataset = {
        "name": contract.name,
        "source": events.source,
        "sha256": events.source_sha256,
        "split": config.split_rows.by,
        "num_ids": blocks.num_ids,
        "num_fields": blocks.num_fields,
        "rows": {part: getattr(split, f"{part}_rows") for part in ("train", "dev", "test")},
    }
    study = build_study(bench, run_study(bench, report), dataset, versions())
    write_study(study, folder)
    return StudyReport.of(folder, findings=(headline(study), *findings(study)))


def log_study(tracker: Tracker, study: dict, folder: Path) -> None:
    """The study in MLflow: its pages as artifacts, its gains as metrics, its verdicts as tags."""
    run_id = tracker.parent_run_id
    for name in FILES:
        tracker.client.log_artifact(run_id, str(folder / name))
    metrics = {
        f"{row['cohort']}.{row['arm']}.over_{base}": found["relaimp"]
        for row in study["rows"]
        if row["epoch"] <= 1
        for base, found in row["vs"].items()
    }
    tracker.log_metrics(run_id, metrics)
    tracker.set_tags(
        run_id,
        {f"hypothesis.{h['id']}": h["verdict"] for h in study["hypotheses"]}
        | {"mlflow.note.content": "\n\n".join([headline(study), *findings(study)])},
    )
