"""The data road, one function per step: each reads references, writes a folder, returns one."""

import shutil
import tempfile
from pathlib import Path

from mutualctr.config import DataConfig, EngineName, FeatureConfig, SplitConfig
from mutualctr.data.contract import Contract
from mutualctr.data.contract_file import load_contract
from mutualctr.data.drift import check_comparable, compare, judge
from mutualctr.data.engine import Engine, engine_of
from mutualctr.data.events import ingest
from mutualctr.data.origin import find_source
from mutualctr.data.quarantine import QUARANTINE_FILE, validate_and_set_aside
from mutualctr.data.snapshot import Snapshot, load_snapshot
from mutualctr.data.source import fingerprint, resolve_source
from mutualctr.data.synthetic import generate_criteo
from mutualctr.data.validation_html import render_html
from mutualctr.data.verdict import ValidationReport
from mutualctr.errors import DataError
from mutualctr.files import replacing
from mutualctr.reference import Blocks, Events, Split, Validation

VALIDATION_PAGE = "validation.html"


def source_fingerprint(data: DataConfig) -> str:
    """A text that changes when the source's content does (`origin.Source.fingerprint`).

    Generated clicks are told apart by their configuration.
    """
    if data.generated is not None:
        return f"generated {data.generated}"
    return find_source(data.source, load_contract(data.contract), data.window).fingerprint()


def ingest_source(
    data: DataConfig, contract: Contract, expected: str, folder: Path, kept: Path, code: str
) -> Events:
    """Read the source (or the generated clicks) into typed events.

    Files that an earlier run of the same `code` finished are taken from the folder `kept`.
    Raises DataError when a file changed between fingerprint and reading.
    """
    options = {"quarantine_percent": data.quarantine_percent, "memory_mb": data.memory_mb}
    if data.generated is not None:
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".generated-") as temporary,
            engine_of(data.engine) as engine,
        ):
            path = Path(temporary) / "generated.tsv"
            generate_criteo(path, data.generated.rows, data.generated.seed)
            info = ingest(path, contract, folder, **options, read=engine.read_files)
        title = "generated"
    else:
        source = find_source(data.source, contract, data.window)
        with engine_of(data.engine) as engine:
            info = ingest(
                source, contract, folder, **options, kept=kept, code=code, read=engine.read_files
            )
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
        fingerprint=expected,
        rows=info.rows,
        quarantined=info.malformed,
    )


def reference_fingerprint(data: DataConfig) -> str:
    """SHA-256 of the snapshot that drift is measured against; empty where there is none."""
    return fingerprint(resolve_source(data.reference)) if data.reference else ""


def validate_events(
    events: Events, contract: Contract, data: DataConfig, folder: Path, rejected: Path
) -> Validation:
    """Run the contract over all rows, set bad rows aside where that is allowed, measure drift.

    On a critical failure what the person needs to see is copied to `rejected`, and DataError says
    what is wrong first.
    """
    limits = (data.quarantine_percent, events.quarantined)
    with engine_of(data.engine) as engine:
        report, snapshot = check_events(
            events.files, contract, *limits, data.reference, folder, engine
        )
    snapshot.save(folder)
    try:
        report.raise_on_critical(events.source)
    except DataError as error:
        shutil.copytree(folder, rejected, dirs_exist_ok=True)
        sentence = str(error).removesuffix(".")
        raise DataError(f"{sentence}; see {rejected / VALIDATION_PAGE}.") from None
    return Validation.of(
        folder,
        expectations=len(report.results),
        warnings=len(report.failed("warning")),
        set_aside=report.set_aside,
    )


def check_events(
    files: Path,
    contract: Contract,
    quarantine_percent: float | None,
    malformed: int,
    reference: str | None,
    folder: Path,
    engine: Engine,
) -> tuple[ValidationReport, Snapshot]:
    """The contract's verdict on the events, as records and as files in `folder`.

    Writes validation.json, validation.html and, where rows are set aside, quarantine.parquet.
    """
    quarantine = folder / QUARANTINE_FILE
    if quarantine_percent is None:
        report = engine.validate(files, contract, None)
    else:
        report = validate_and_set_aside(
            files, contract, quarantine_percent, malformed, quarantine, engine
        )
    without = quarantine if report.set_aside else None
    if reference is not None:
        before = load_snapshot(resolve_source(reference))
        check_comparable(before, contract)
        drift = compare(before, engine.take_snapshot(files, without, contract, before))
        results = (*report.results, *judge(drift, contract))
        report = report.model_copy(update={"drift": drift, "results": results})
    for name, content in (
        ("validation.json", report.model_dump_json(indent=1)),
        (VALIDATION_PAGE, render_html(report)),
    ):
        with replacing(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return report, engine.take_snapshot(files, without, contract, None)


def split_events(
    events: Events,
    validation: Validation,
    contract: Contract,
    config: SplitConfig,
    engine: EngineName,
    folder: Path,
) -> Split:
    """Assign every row that was not set aside to train, dev or test."""
    aside = validation.set_aside_rows()
    with engine_of(engine) as running:
        rows = running.split(events.files, contract, config, folder, aside)
    assert sum(rows.values()) == events.rows
    assert rows["set_aside"] >= len(aside)
    return Split.of(folder, **{f"{part}_rows": n for part, n in rows.items()})


def encode_events(
    events: Events,
    parts: Split,
    contract: Contract,
    feature_set: str | None,
    config: FeatureConfig,
    engine: EngineName,
    folder: Path,
) -> Blocks:
    """Fit the feature map on train, write it and the three blocks."""
    with engine_of(engine) as running:
        feature_map = running.encode(
            events.files, parts.folder, contract, feature_set, config.min_count, folder
        )
    return Blocks.of(
        folder,
        train_rows=parts.train_rows,
        num_ids=feature_map.num_ids,
        num_fields=feature_map.num_fields,
        sequences=feature_map.sequences,
    )
