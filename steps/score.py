"""Events → probabilities of a registered model."""

from typing import Annotated

from zenml import step

from mutualctr.data.contract import Contract
from mutualctr.reference import Events, Scores, Validation
from mutualctr.registry.batch import score_events
from stack.code import NEVER
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch
from stack.tracker import registry_client


@step(experiment_tracker=True, cache_policy=NEVER, output_materializers=ReferenceMaterializer)
def score(
    events: Events, validation: Validation, contract: Contract, model: str
) -> Annotated[Scores, "scores"]:
    """Never cached: an alias names another version tomorrow."""
    with scratch() as folder:
        return score_events(registry_client(), model, events, contract, folder)
