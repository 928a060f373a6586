"""Report and checkpoints → MLflow."""

from typing import Annotated, Any

from zenml import get_step_context, step

from mutualctr.cohort import Peer
from mutualctr.config import RunConfig
from mutualctr.reference import Blocks, Models, Report, Validation
from mutualctr.registry.publish import publish
from mutualctr.trained import all_trained
from stack.code import NEVER
from stack.tracker import current_tracker


@step(experiment_tracker=True, cache_policy=NEVER)
def register(
    report: Report,
    validation: Validation,
    blocks: Blocks,
    pretrained: list[Models],
    control: list[Models],
    mutual: list[Models],
    peers: list[Peer],
    config: RunConfig,
) -> Annotated[list[dict[str, Any]], "versions"]:
    """Never cached, since every run has its own MLflow run; registers nothing twice."""
    trained = all_trained(peers, pretrained, control, mutual)
    pipeline_run = get_step_context().pipeline_run.name
    return publish(current_tracker(), pipeline_run, config, validation, blocks, report, trained)
