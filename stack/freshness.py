"""Has the last successful run read everything there is?

What "last success" means is ZenML's status of the run: it is written once, by whoever runs the
pipeline, when the last step is done, whatever that step is, so that a run that fails in its gate
has read nothing. The mark itself stands in the run's `extra`, written when the run is compiled:
there is no second record that could disagree with the status. A run by hand counts like any other.
"""

from typing import Any

from zenml.client import Client
from zenml.enums import ExecutionStatus

from mutualctr.config import DataConfig
from mutualctr.data.origin import partitions_of
from mutualctr.data.partitions import Selection, select
from mutualctr.errors import DataError

PARTITIONS = "mutualctr_partitions"
"""Key in a run's `extra`: the mark, and how many partitions it read."""
LOOKED_AT = 200
"""Completed runs of the pipeline to look through, newest first."""


def selection_for(data: DataConfig, pipeline: str, parameters: dict[str, Any]) -> Selection | None:
    """What a run would read now, and how much of it is new; None for one file or a table.

    Raises DataError for a window over a single file or over names without a day.
    """
    names = partitions_of(data.source) if data.source is not None else None
    if names is None:
        if data.window is not None:
            raise DataError(
                f"`data.window` needs a folder or a pattern of daily files, and "
                f"{data.source or 'generated'} is neither; remove `window` or correct `source`."
            )
        return None
    return select(names, data.window, last_mark(pipeline, parameters))


def last_mark(pipeline: str, parameters: dict[str, Any]) -> str | None:
    """The mark of the newest completed run of `pipeline` with exactly these parameters.

    Another learning rate is another question to the same data, so it is answered.
    """
    found = Client().list_pipeline_runs(
        pipeline=pipeline,
        status=ExecutionStatus.COMPLETED.value,
        sort_by="desc:created",
        size=LOOKED_AT,
        hydrate=True,
    )
    for run in found:
        if run.config.parameters == parameters and PARTITIONS in run.config.extra:
            return run.config.extra[PARTITIONS]["mark"]
    return None


def record(selection: Selection) -> dict[str, Any]:
    """What `last_mark` of a later run reads."""
    return {"mark": selection.mark, "count": len(selection.partitions)}
