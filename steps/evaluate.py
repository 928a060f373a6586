"""All checkpoints against the test rows."""

from typing import Annotated

from zenml import step

from mutualctr.cohort import Peer
from mutualctr.config import RunConfig
from mutualctr.data.contract import Contract
from mutualctr.judge import judge
from mutualctr.reference import Blocks, Events, Models, Report, Split
from mutualctr.trained import all_trained
from stack.code import EVALUATION
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch


@step(cache_policy=EVALUATION, output_materializers=ReferenceMaterializer)
def evaluate(
    events: Events,
    split: Split,
    blocks: Blocks,
    pretrained: list[Models],
    control: list[Models],
    mutual: list[Models],
    peers: list[Peer],
    contract: Contract,
    config: RunConfig,
) -> Annotated[Report, "report"]:
    """Measure pretrained, control and mutual, write report.json, report.html and report.md."""
    trained = all_trained(peers, pretrained, control, mutual)
    with scratch() as folder:
        return judge(events, split, blocks, contract, config, trained, folder)
