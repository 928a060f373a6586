"""From a source to blocks in one call, for whoever needs them without the pipeline around."""

from pathlib import Path

from mutualctr.config import RunConfig
from mutualctr.data import prepare
from mutualctr.data.contract_file import load_contract
from mutualctr.reference import Blocks, Split


def blocks_at_once(config: RunConfig, folder: Path) -> tuple[Split, Blocks]:
    """Ingest, validate, split and encode as the run's steps do, each into a folder of its own.

    Rows that are set aside go to folder/rejected. Raises what the steps raise.
    """
    contract, data = load_contract(config.data.contract), config.data
    events_at, validation_at, split_at, blocks_at = (
        folder / name for name in ("events", "validation", "split", "blocks")
    )
    for path in (events_at, validation_at, split_at, blocks_at):
        path.mkdir()
    fingerprint = prepare.source_fingerprint(data)
    events = prepare.ingest_source(data, contract, fingerprint, events_at, folder / "kept", "")
    checked = prepare.validate_events(events, contract, data, validation_at, folder / "rejected")
    parts = prepare.split_events(
        events, checked, contract, config.split_rows, data.engine, split_at
    )
    blocks = prepare.encode_events(
        events, parts, contract, data.feature_set, config.features, data.engine, blocks_at
    )
    return parts, blocks
