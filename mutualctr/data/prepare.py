"""The data road, one function per step: each reads references, writes a folder, returns one."""

import tempfile
from pathlib import Path

from mutualctr.config import DataConfig, FeatureConfig, SplitConfig
from mutualctr.data import blocks as block_files
from mutualctr.data import features, split
from mutualctr.data.contract import Contract, load_contract
from mutualctr.data.events import ingest
from mutualctr.data.origin import find_source
from mutualctr.data.synthetic import generate_criteo
from mutualctr.data.validation import validate
from mutualctr.data.validation_html import render_html
from mutualctr.errors import DataError
from mutualctr.files import replacing
from mutualctr.reference import Blocks, Events, Split, Validation


def source_fingerprint(data: DataConfig) -> str:
    """A text that changes when the source's content does (`origin.Source.fingerprint`).

    Generated clicks are told apart by their configuration.
    """
    if data.source is None:
        return "generated"
    return find_source(data.source, load_contract(data.contract)).fingerprint()


def ingest_source(
    data: DataConfig, contract: Contract, expected: str, folder: Path, kept: Path, code: str
) -> Events:
    """Read the source (or the generated clicks) into typed events.

    Files that an earlier run of the same `code` finished are taken from the folder `kept`.
    Raises DataError when a file changed between fingerprint and reading.
    """
    options = {"quarantine_percent": data.quarantine_percent, "memory_mb": data.memory_mb}
    if data.generated is not None:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "generated.tsv"
            generate_criteo(path, data.generated.rows, data.generated.seed)
            info = ingest(path, contract, folder, **options)
        title = "generated"
    else:
        source = find_source(data.source, contract)
        info = ingest(source, contract, folder, **options, kept=kept, code=code)
        read = {entry.file: entry.sha256 for entry in info.sources}
        if source.table is None and source.fingerprint(read) != expected:
            raise DataError(
                f"{source.title} changed while the run was starting; run again when it is written."
            )
        title = source.title
    return Events.of(
        folder,
        source=title,
        source_sha256=info.sha256,
        rows=info.rows,
        quarantined=info.malformed,
    )


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
    feature_map = features.fit(events.files, part_R, chosen, column_types, config.min_count)
    feature_map.save(folder / "features")
    block_files.write_blocks(events.files, part_R, feature_map, contract, folder)
    return Blocks.of(
        folder,
        train_rows=parts.train_rows,
        num_ids=feature_map.num_ids,
        num_fields=len(feature_map.fields),
    )
