"""Scores and the labels that came since → measures by day."""

from typing import Annotated

from zenml import step

from mutualctr.data.contract import Contract
from mutualctr.monitoring.config import MonitorConfig
from mutualctr.monitoring.monitor import monitor_scores
from mutualctr.reference import Events, Monitoring, Validation
from stack.code import NEVER
from stack.materializer import ReferenceMaterializer
from stack.scored_runs import scored_runs
from stack.scratch import scratch
from stack.tracker import current_tracker


@step(experiment_tracker=True, cache_policy=NEVER, output_materializers=ReferenceMaterializer)
def monitor(
    events: Events, validation: Validation, contract: Contract, config: MonitorConfig
) -> Annotated[Monitoring, "monitoring"]:
    """Never cached: something was scored meanwhile."""
    runs = scored_runs(config.model, config.score_runs)
    with scratch() as folder:
        return monitor_scores(current_tracker(), runs, events, validation, contract, config, folder)
