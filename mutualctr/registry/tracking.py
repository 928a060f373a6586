"""MLflow runs: one parent per pipeline run, one child per peer and phase.

Everything goes through an explicit client, so that nothing depends on process-wide state.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from mlflow.utils.time import get_current_time_millis

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # bars for local copies
NOT_IN_NAMES = re.compile(r"[^\w.\- :/]")
"""What MLflow does not allow in the name of a metric."""
METRICS_AT_ONCE = 1000
"""MLflow takes no more in one call."""


@dataclass(frozen=True)
class Tracker:
    """A client and the parent run under which children are opened."""

    client: MlflowClient
    parent_run_id: str

    def open_child(self, name: str, params: Mapping[str, Any]) -> str:
        """Start a child run; returns its id."""
        experiment_id = self.client.get_run(self.parent_run_id).info.experiment_id
        tags = {MLFLOW_PARENT_RUN_ID: self.parent_run_id}
        run = self.client.create_run(experiment_id, run_name=name, tags=tags)
        self.log_params(run.info.run_id, params)
        return run.info.run_id

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Log nested parameters with dotted names."""
        flat = [Param(name, str(value)) for name, value in flatten(params).items()]
        self.client.log_batch(run_id, params=flat)

    def log_point(self, run_id: str, point: Mapping[str, float]) -> None:
        """Log one record of a learning curve; its `epoch` is the step."""
        now = get_current_time_millis()
        metrics = [
            Metric(name, value, now, round(point["epoch"]))
            for name, value in point.items()
            if name != "epoch"
        ]
        self.client.log_batch(run_id, metrics=metrics)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Log final figures, without a step of their own."""
        now = get_current_time_millis()
        self.client.log_batch(run_id, metrics=[Metric(k, v, now, 0) for k, v in metrics.items()])

    def log_day(self, run_id: str, day: date, metrics: Mapping[str, float]) -> None:
        """Log figures of a day: the step reads 20260329, the time is that midnight, UTC.

        So a chart over time has its days in the right places, which one over steps has not.
        """
        midnight = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
        step = int(f"{day:%Y%m%d}")
        batch = [
            Metric(NOT_IN_NAMES.sub("_", name), value, midnight, step)
            for name, value in metrics.items()
        ]
        for start in range(0, len(batch), METRICS_AT_ONCE):
            self.client.log_batch(run_id, metrics=batch[start : start + METRICS_AT_ONCE])

    def set_tags(self, run_id: str, tags: Mapping[str, Any]) -> None:
        """Set tags on a run."""
        self.client.log_batch(run_id, tags=[RunTag(k, str(v)) for k, v in tags.items()])

    def close_child(self, run_id: str, failed: bool = False) -> None:
        """End a child run."""
        self.client.set_terminated(run_id, "FAILED" if failed else "FINISHED")


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': 1}} → {'a.b': 1}."""
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
