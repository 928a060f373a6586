"""What follows from a monitoring: an alarm is told once and starts one retraining.

What was told stands in ZenML, on the run that told it, and is written after the telling: whoever
is killed in between tells it again, and nobody keeps an alarm to himself.
"""

from collections.abc import Sequence

import click
from zenml import log_metadata
from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse

from mutualctr.errors import UserError
from mutualctr.monitoring.alarms import Crossing, begins_for, crossings, new_alarms
from mutualctr.monitoring.config import MonitorConfig
from mutualctr.monitoring.days import Monitored
from mutualctr.monitoring.monitor import load_monitored
from stack.pipeline import ConfiguredPipeline
from stack.retraining import Retraining, ask_for_retraining, run_here
from stack.telling import tell_alarm

TOLD = "mutualctr_alarms_told"
"""Key in the metadata of a run."""
LOOKED_AT = 60
"""Finished monitorings to look through, the newest first; each repeats what it still sees."""


def answer_alarms(pipeline: ConfiguredPipeline, run: PipelineRunResponse) -> None:
    """Tell the alarms that are new, ask for a retraining where the champion has one, note both.

    Raises UserError where the retraining cannot be asked for or fails; the alarm is told before.
    """
    if run.status != ExecutionStatus.COMPLETED:
        return
    config = pipeline.run_config
    assert isinstance(config, MonitorConfig)
    monitored = load_monitored(run.steps["monitor"].outputs["monitoring"][0].load())
    told = _told_before(pipeline.name)
    new = new_alarms(monitored.days, told)
    retraining, error = Retraining(""), None
    if new and config.alarms.retrain is not None:
        try:
            retraining = _retraining(config.alarms.retrain, monitored, told)
        except UserError as raised:
            retraining, error = Retraining(f"No retraining was started: {raised}"), raised
    if new:
        sentence = " ".join(filter(None, (_words(new), retraining.sentence)))
        click.echo(f"Alarm: {sentence}")
        tell_alarm(pipeline.alerts, pipeline.name, run.name, sentence)
    if error is not None:
        raise error
    if found := crossings(monitored.days):
        log_metadata({TOLD: [entry.key for entry in found]}, run_id_name_or_prefix=run.id)
    run_here(retraining)


def _told_before(pipeline: str) -> set[str]:
    found = Client().list_pipeline_runs(
        pipeline=pipeline,
        status=ExecutionStatus.COMPLETED.value,
        sort_by="desc:created",
        size=LOOKED_AT,
        hydrate=True,
    )
    return {key for run in found for key in run.run_metadata.get(TOLD, [])}


def _retraining(target: str, monitored: Monitored, told: set[str]) -> Retraining:
    champion = monitored.champion
    if champion is None:
        return Retraining(f"No version of {monitored.model} serves, so nothing is trained anew.")
    if not begins_for(champion, monitored.days, told):
        return Retraining(f"Nothing more is started: {champion} has no other alarm than before.")
    return ask_for_retraining(target)


def _words(alarms: Sequence[Crossing]) -> str:
    return "; ".join(alarm.words for alarm in alarms) + "."
