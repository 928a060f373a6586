"""The data road, one function per step: each reads references, writes a folder, returns one."""

import tempfile
from pathlib import Path

from mutualctr.config import DataConfig, FeatureConfig, SplitConfig
from mutualctr.data import blocks as block_files
from mutualctr.data import features, split
from mutualctr.data.coded import read_coded
from mutualctr.data.contract import Contract
from mutualctr.data.events import ingest
from mutualctr.data.source import fingerprint, resolve_source
from mutualctr.data.synthetic import generate_criteo
from mutualctr.data.validation import validate
from mutualctr.data.validation_html import render_html
from mutualctr.errors import DataError
from mutualctr.files import replacing
from mutualctr.reference import Blocks, Events, Split, Validation


def source_fingerprint(data: DataConfig) -> str:
    """SHA-256 of the source's content; generated clicks are told apart by their configuration."""
    if data.source is None:
        return "generated"
    return fingerprint(resolve_source(data.source))


def ingest_source(data: DataConfig, contract: Contract, expected: str, folder: Path) -> Events:
    """Read the source (or the generated clicks) into typed events.

    Raises DataError when the file changed between fingerprint and reading.
    """
    if data.generated is not None:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "generated.tsv"
            generate_criteo(path, data.generated.rows, data.generated.seed)
            info = ingest(path, contract, folder)
        return Events.of(folder, source="generated", source_sha256=info.sha256, rows=info.rows)
    path = resolve_source(data.source)
    info = ingest(path, contract, folder)
    if info.sha256 != expected:
        raise DataError(f"{path} changed while the run was starting; run again when it is written.")
    return Events.of(folder, source=path.name, source_sha256=info.sha256, rows=info.rows)


def validate_events(events: Events, contract: Contract, folder: Path) -> Validation:
    """Run the contract over all rows; raise DataError on the first critical failure."""
    report = validate(events.files, contract)
    for name, content in (
        ("validation.json", report.model_dump_json(indent=1)),
        ("validation.html", render_html(report)),
    ):
        with replacing(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    report.raise_on_critical(events.source)
    return Validation.of(
        folder, expectations=len(report.results), warnings=len(report.failed("warning"))
    )


def split_events(events: Events, contract: Contract, config: SplitConfig, folder: Path) -> Split:
    """Assign every row to train, dev or test."""
    rows = split.split(events.files, contract, config, folder)
    assert sum(rows.values()) == events.rows
    return Split.of(folder, **{f"{part}_rows": n for part, n in rows.items()})


def encode_events(
    events: Events,
    parts: Split,
    contract: Contract,
    feature_set: str | None,
    config: FeatureConfig,
    folder: Path,
) -> Blocks:
    """Fit the feature map on train, write it and the three blocks."""
    part_R = split.read_parts(parts.folder)
    column_types = {column.name: column.type for column in contract.columns}
    chosen = contract.features(feature_set)
    names = features.raw_columns(chosen, contract.sequences)
    coded = read_coded(events.files, part_R, names)
    feature_map = features.fit(coded, chosen, contract.sequences, column_types, config.min_count)
    feature_map.save(folder / "features")
    block_files.write_blocks(events.files, coded, part_R, feature_map, contract, folder)
    return Blocks.of(
        folder,
        train_rows=parts.train_rows,
        num_ids=feature_map.num_ids,
        num_fields=feature_map.num_fields,
        sequences=feature_map.sequences,
    )
