"""Events → the contract's verdict; a critical failure stops the run."""

from pathlib import Path
from typing import Annotated

from zenml import step

from mutualctr.config import DataConfig
from mutualctr.data.contract import Contract
from mutualctr.data.prepare import validate_events
from mutualctr.reference import Events, Validation
from stack.code import DATA
from stack.materializer import ReferenceMaterializer
from stack.scratch import scratch

REJECTED = Path("outputs/rejected")


@step(cache_policy=DATA, output_materializers=ReferenceMaterializer)
def validate(
    events: Events, contract: Contract, data: DataConfig, reference_fingerprint: str
) -> Annotated[Validation, "validation"]:
    """Run the contract's Great Expectations suite over all rows, inside DuckDB or Spark.

    `reference_fingerprint` ties the cache to the content of the snapshot that `data` names.
    """
    with scratch() as folder:
        return validate_events(events, contract, data, folder, REJECTED)
