"""From scorings and labels to a page, a record and curves in MLflow."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from mutualctr.data.contract import Contract
from mutualctr.data.quarantine import QUARANTINE_FILE
from mutualctr.errors import DataError
from mutualctr.files import replacing
from mutualctr.monitoring.alarms import crossings
from mutualctr.monitoring.config import MonitorConfig
from mutualctr.monitoring.days import Day, Monitored
from mutualctr.monitoring.join import join
from mutualctr.monitoring.known import Known
from mutualctr.monitoring.measure import measure_day
from mutualctr.monitoring.page import render_html
from mutualctr.monitoring.partitions import (
    Labelled,
    Scored,
    labelled_partitions,
    scored_partitions,
)
from mutualctr.monitoring.wording import headline
from mutualctr.reference import Events, Monitoring, Scores, Validation
from mutualctr.registry.aliases import CHAMPION, at_alias
from mutualctr.registry.tracking import Tracker

RECORD = "monitor.json"
PAGE = "monitor.html"


def monitor_scores(
    tracker: Tracker,
    runs: Sequence[Scores],
    events: Events,
    validation: Validation,
    contract: Contract,
    config: MonitorConfig,
    folder: Path,
) -> Monitoring:
    """Lay the labels beside the scores, measure every day, hold it against the thresholds.

    runs: scorings, the newest first. Writes monitor.json and monitor.html into `folder` and to the
    run in MLflow, which gets the measures with the day as their step.

    Raises DataError where no partition was scored, or it cannot be said which row is which.
    """
    scored, passed_over = scored_partitions(runs, config.model)
    labelled = labelled_partitions(events)
    within = _within(scored, labelled, config)
    _refuse_nothing(within, runs, config)
    known = Known(tracker.client, contract, config.data.reference)
    aside = validation.folder / QUARANTINE_FILE if validation.set_aside else None
    days = []
    for joined in join(within, labelled, contract, aside):
        reference, bins = known.of(joined.model)
        days.append(measure_day(joined, reference, bins, contract, aside, config.alarms))
    champion = at_alias(tracker.client, config.model, CHAMPION)
    monitored = Monitored(
        model=config.model,
        champion=f"{config.model}/{champion.version}" if champion else None,
        contract=contract.name,
        source=events.source,
        days=tuple(days),
        cautions=(*_left_out(passed_over, len(scored) - len(within)), *known.cautions),
        alarms=config.alarms,
    )
    _write(tracker, monitored, folder)
    found = crossings(days)
    return Monitoring.of(
        folder,
        judged=sum(day.state == "judged" for day in days),
        waiting=sum(day.state == "waiting" for day in days),
        crossed=len(found),
        sentence=headline(monitored),
    )


def load_monitored(monitoring: Monitoring) -> Monitored:
    """The content of monitor.json."""
    text = (monitoring.folder / RECORD).read_text(encoding="utf-8")
    return Monitored.model_validate_json(text)


def _within(
    scored: Sequence[Scored], labelled: Sequence[Labelled], config: MonitorConfig
) -> list[Scored]:
    """What was scored since the first day of the window of labels."""
    window = config.data.window
    if window is None:
        return list(scored)
    first: date = max(part.day for part in labelled) - timedelta(days=window.days - 1)
    return [part for part in scored if part.day >= first]


def _refuse_nothing(
    within: Sequence[Scored], runs: Sequence[Scores], config: MonitorConfig
) -> None:
    if within:
        return
    models = sorted({run.model for run in runs})
    seen = f"the newest {len(runs)} used {', '.join(models)}" if runs else "there is none yet"
    raise DataError(
        f"No finished run of dml_score has scored a daily partition of these days with "
        f"{config.model} ({seen}); score a folder of files with a day in their names, or correct "
        "`model`."
    )


def _left_out(passed_over: int, earlier: int) -> list[str]:
    sentences = []
    if passed_over:
        sentences.append(
            f"{passed_over} scored files are passed over: they have no day in their name, or were "
            "scored before days were written down."
        )
    if earlier:
        sentences.append(f"{earlier} scored files are of days before the window.")
    return sentences


def _write(tracker: Tracker, monitored: Monitored, folder: Path) -> None:
    for name, content in (
        (RECORD, monitored.model_dump_json(indent=1) + "\n"),
        (PAGE, render_html(monitored)),
    ):
        with replacing(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
        tracker.client.log_artifact(tracker.parent_run_id, str(folder / name))
    for day in monitored.days:
        tracker.log_day(tracker.parent_run_id, day.day, _metrics(day))
    tracker.set_tags(tracker.parent_run_id, {"monitor": headline(monitored)})


def _metrics(day: Day) -> dict[str, float]:
    metrics: dict[str, float | None] = {
        "rows_scored": day.rows_scored,
        "rows_matched": day.rows_matched,
        "rows_labelled_only": day.labelled_only,
        "predicted_rate": day.predicted_rate,
        "probability_psi": day.probability_psi,
        "thresholds_crossed": len(day.crossed),
    }
    for name in ("observed_rate", "pcoc", "logloss", "auc"):
        estimate = getattr(day, name)
        metrics[name] = estimate and estimate.value
    for column in day.columns:
        metrics[f"psi/{column.column}"] = column.psi
        metrics[f"unseen/{column.column}"] = column.unseen_share
    return {name: value for name, value in metrics.items() if value is not None}
