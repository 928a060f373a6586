"""Blocks → every arm of every cohort, and what they show."""

import json
from typing import Annotated

from zenml import step

from mutualctr.data.contract import Contract
from mutualctr.reference import Blocks, Events, Split, StudyReport
from mutualctr.study.conduct import conduct, log_study
from mutualctr.study.config import StudyConfig
from stack.code import STUDY, cell_code
from stack.counted import counted
from stack.materializer import ReferenceMaterializer
from stack.scratch import cell_store, scratch
from stack.tracker import current_tracker


@step(experiment_tracker=True, cache_policy=STUDY, output_materializers=ReferenceMaterializer)
def study(
    events: Events, split: Split, blocks: Blocks, contract: Contract, config: StudyConfig
) -> Annotated[StudyReport, "study"]:
    """Finished cells are kept beside the artifacts, so a killed study goes on where it was."""
    with scratch() as folder, counted("cells") as report:
        made = conduct(
            events, split, blocks, contract, config, cell_store(), cell_code(), report, folder
        )
        record = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        log_study(current_tracker(), record, folder)
        return made
