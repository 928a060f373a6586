"""What a monitoring depends on: `parameters:` in configs/monitor.yaml."""

from pydantic import Field, model_validator

from mutualctr.closed import Closed
from mutualctr.config import Bounds, DataConfig


class AlarmConfig(Closed):
    """When a day is alarming. A threshold that is null is not looked at.

    Measures with an interval cross a threshold when all of their 95 % interval lies beyond it: a
    few clicks prove nothing.
    """

    rows_at_least: int = Field(ge=1)
    """Days with fewer rows are shown and not judged."""
    labelled_share_at_least: float = Field(gt=0, le=1)
    """Of a day's scored rows; with fewer labels its clicks may not be all there yet."""
    pcoc: Bounds | None
    """Predicted clicks over observed clicks."""
    auc_at_least: float | None = Field(ge=0, le=1)
    logloss_at_most: float | None = Field(gt=0)
    """In nats."""
    psi_at_most: float | None = Field(gt=0)
    """Of any column, against the events that the model was trained on."""
    probability_psi_at_most: float | None = Field(gt=0)
    """Of the probabilities, against those of the test rows when the version was judged."""
    unseen_share_at_most: float | None = Field(ge=0, le=1)
    """Of any category's values."""
    retrain: str | None
    """The name of a schedule, which an alarm makes due; or a dml_finetune file, which it runs."""


class MonitorConfig(Closed):
    """Everything a monitoring depends on."""

    data: DataConfig
    """The partitions with labels. A null `reference` compares every day with the events that the
    version which scored it was trained on."""
    model: str = Field(pattern=r"^[^@/]+$")
    """Name of the registered model; all its versions are looked at."""
    score_runs: int = Field(ge=1)
    """How many finished runs of dml_score to look through, the newest first."""
    alarms: AlarmConfig

    @model_validator(mode="after")
    def _daily_partitions(self) -> "MonitorConfig":
        if self.data.source is None:
            raise ValueError(
                "labels arrive day by day; give `data.source`, a folder of daily partitions."
            )
        return self
