"""Source file → typed events."""

from typing import Annotated

from zenml import step

from mutualctr.config import DataConfig
from mutualctr.data.contract import Contract
from mutualctr.data.prepare import ingest_source
from mutualctr.reference import Events
from stack.code import DATA, data_code
from stack.materializer import ReferenceMaterializer
from stack.scratch import kept_files, scratch


@step(cache_policy=DATA, output_materializers=ReferenceMaterializer)
def ingest(data: DataConfig, contract: Contract, fingerprint: str) -> Annotated[Events, "events"]:
    """Read the source into events; `fingerprint` ties the cache to its content."""
    with scratch() as folder:
        return ingest_source(data, contract, fingerprint, folder, kept_files(), data_code())
