"""Raw rows to compare versions on: of a file, or the test rows of a run."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from zenml.client import Client

from mutualctr.config import DataConfig
from mutualctr.data.contract import Contract
from mutualctr.data.contract_file import load_contract
from mutualctr.data.engine import ThisMachine
from mutualctr.data.prepare import check_events, ingest_source, source_fingerprint
from mutualctr.data.raw_rows import write_raw_rows
from mutualctr.data.split import TEST, read_parts
from mutualctr.errors import RegistryError

Rows = tuple[Path, np.ndarray, str]
"""A Parquet file of raw rows, their label_B, and where they are from in a few words."""


@contextmanager
def rows_of_source(source: str, contract_name: str) -> Iterator[Rows]:
    """All rows of a file that keeps the contract. Raises DataError where it does not."""
    contract = load_contract(contract_name)
    data = DataConfig(contract=contract_name, source=source)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("events", "validation", "kept"):
            (folder / name).mkdir()
        seen = source_fingerprint(data)
        events = ingest_source(data, contract, seen, folder / "events", folder / "kept", "")
        report, _ = check_events(
            events.files, contract, None, 0, None, folder / "validation", ThisMachine()
        )
        report.raise_on_critical(source)
        path = folder / "rows.parquet"
        yield path, write_raw_rows(events.files, contract, path), source


@contextmanager
def rows_of_run(name: str | None) -> Iterator[Rows]:
    """The test rows of a finished dml_finetune run, by default the latest.

    Raises RegistryError where there is no such run.
    """
    found = Client().list_pipeline_runs(
        pipeline="dml_finetune",
        status="completed",
        sort_by="desc:created",
        size=1,
        **({"name": name} if name else {}),
    )
    if not found.items:
        raise RegistryError(
            f"There is no finished dml_finetune run{f' called {name}' if name else ''}; "
            "`zenml pipeline runs list` shows them, or give rows by --source."
        )
    run = found.items[0]
    events = run.steps["ingest"].outputs["events"][0].load()
    split = run.steps["split"].outputs["split"][0].load()
    contract = Contract.model_validate(run.steps["ingest"].config.parameters["contract"])
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "rows.parquet"
        label_B = write_raw_rows(events.files, contract, path, read_parts(split.folder), TEST)
        yield path, label_B, f"test rows of {run.name}"
