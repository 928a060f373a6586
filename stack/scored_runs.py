"""What dml_score has scored so far, as ZenML keeps it."""

from zenml.client import Client
from zenml.enums import ExecutionStatus

from mutualctr.reference import Scores

PIPELINE = "dml_score"


def scored_runs(model: str, most: int) -> list[Scores]:
    """The scores of the newest finished runs with a version of `model`, the newest first.

    `most` runs are looked through. One whose files were removed meanwhile is left out.
    """
    found = Client().list_pipeline_runs(
        pipeline=PIPELINE,
        status=ExecutionStatus.COMPLETED.value,
        sort_by="desc:created",
        size=most,
        hydrate=True,
    )
    runs = []
    for run in found:
        artifact = run.steps["score"].outputs["scores"][0]
        if str(artifact.run_metadata["model"]).rpartition("/")[0] == model:
            try:
                runs.append(artifact.load())
            except FileNotFoundError:
                continue
    return runs
