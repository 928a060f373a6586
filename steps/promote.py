"""The best mutual peer against the champion."""

from typing import Annotated, Any

from zenml import get_step_context, step

from mutualctr.cohort import Peer
from mutualctr.config import RunConfig
from mutualctr.data.contract import Contract
from mutualctr.reference import Blocks, Events, Models, Promotion, Report, Split, Validation
from mutualctr.registry.promotion import promote_run
from mutualctr.registry.served import Finished
from mutualctr.trained import trained_in
from stack.code import NEVER
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch
from stack.tracker import current_tracker


@step(experiment_tracker=True, cache_policy=NEVER, output_materializers=ReferenceMaterializer)
def promote(
    events: Events,
    split: Split,
    blocks: Blocks,
    validation: Validation,
    report: Report,
    versions: list[dict[str, Any]],
    mutual: list[Models],
    peers: list[Peer],
    contract: Contract,
    config: RunConfig,
) -> Annotated[Promotion, "promotion"]:
    """Never cached: the champion of today is not the one of yesterday."""
    finished = Finished(
        pipeline_run=get_step_context().pipeline_run.name,
        config=config,
        contract=contract,
        events=events,
        split=split,
        blocks=blocks,
        validation=validation,
        report=report,
        registered=versions,
        mutual=trained_in("mutual", peers, mutual),
    )
    with scratch() as folder:
        return promote_run(current_tracker(), finished, folder)
