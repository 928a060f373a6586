"""Batch scoring: every row of the events gets a probability, in order, in bounded memory."""

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from mutualctr.data.content import ContentDigest
from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.event_files import RowGroup, read_files_record, row_groups
from mutualctr.data.features import FeatureMap
from mutualctr.errors import RegistryError
from mutualctr.files import replacing
from mutualctr.reference import Events, Scores
from mutualctr.registry.aliases import find_version
from mutualctr.registry.load import load_served
from mutualctr.registry.serving import ClickProbability
from mutualctr.training.machine import fast_products, keep_pages

SCORES = "scores.parquet"
PARTITIONS = "partitions.json"


def score_events(
    client: MlflowClient, model: str, events: Events, contract: Contract, folder: Path
) -> Scores:
    """Score with `model` (`ctr@champion`, `ctr/3`) into folder/scores.parquet.

    Columns: row (from 1, as in the source), the contract's id where it has one, probability,
    model_name, model_version. There are as many rows as events, in their order.

    folder/partitions.json says which rows are of which source file, its day, and the digest of
    what the model saw there (`mutualctr/data/content.py`), so that clicks that come later can be
    laid beside them.

    Raises RegistryError where there is no such version, or it reads a column that the contract
    does not have.
    """
    version = find_version(client, model)
    served = load_served(client, version)
    kept = [ROW_COLUMN] + ([contract.row_id] if contract.row_id else [])
    columns = [*kept, *_columns_of(served.features, version, contract)]
    schema = pa.schema(
        [
            (ROW_COLUMN, pa.int64()),
            *((name, pa.string()) for name in kept[1:]),
            ("probability", pa.float64()),
            ("model_name", pa.dictionary(pa.int32(), pa.string())),
            ("model_version", pa.int32()),
        ]
    )
    rows, contents = 0, _Contents(events, served.features.raw_columns)
    with replacing(folder / SCORES) as temporary, _writer(temporary, schema) as writer:
        for table, probability_B in _predicted(row_groups(events.files), columns, served):
            assert len(probability_B) == table.num_rows
            contents.add(table)
            writer.write_table(_scored(table.select(kept), probability_B, version, schema))
            rows += table.num_rows
    assert rows == events.rows, f"{rows} rows scored of {events.rows}"
    with replacing(folder / PARTITIONS) as temporary:
        temporary.write_text(json.dumps(contents.record(), indent=1) + "\n", encoding="utf-8")
    return Scores.of(folder, rows=rows, model=f"{version.name}/{version.version}")


class _Contents:
    """The digest of each source file while its rows go by."""

    def __init__(self, events: Events, columns: list[str]):
        self._columns = columns
        self._files = read_files_record(events.files)
        self._digests = [ContentDigest(columns) for _ in self._files]
        self._place, self._rows = 0, 0

    def add(self, table: pa.Table) -> None:
        """The next rows, all of one file."""
        while table.num_rows and self._rows == self._files[self._place]["rows"]:
            self._place, self._rows = self._place + 1, 0
        self._digests[self._place].add(table)
        self._rows += table.num_rows
        assert self._rows <= self._files[self._place]["rows"], self._files[self._place]["file"]

    def record(self) -> dict[str, Any]:
        """The content of partitions.json."""
        partitions = [
            {key: file[key] for key in ("file", "day", "sha256", "first_row", "rows")}
            | {"content_sha256": digest.hexdigest()}
            for file, digest in zip(self._files, self._digests, strict=True)
        ]
        return {"columns": self._columns, "partitions": partitions}


def _predicted(
    groups: list[RowGroup], columns: list[str], served: ClickProbability
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """The columns of each group, text as codes, and its probability_B; in order.

    As many groups at a time as torch has threads, each read, encoded and predicted by one thread,
    so all cores are busy with decoding, lookups and network alike. Torch's own threads would share
    one small product and wait for each other. Products are float32's (`fast_products`), so a
    probability is the engine's to within rounding.
    """

    def predict(group: RowGroup) -> tuple[pa.Table, np.ndarray]:
        table = group.read(columns)
        return table, served.predict_encoded(served.features.encode_table(table))

    workers = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_pages()
    try:
        with fast_products(), ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[tuple[pa.Table, np.ndarray]]] = deque()
            for group in groups:
                waiting.append(pool.submit(predict, group))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(workers)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Without dictionaries of what is different in every row."""
    return pq.ParquetWriter(
        path,
        schema,
        use_dictionary=["model_name", "model_version"],
        column_encoding={ROW_COLUMN: "DELTA_BINARY_PACKED"},
    )


def _columns_of(features: FeatureMap, version: ModelVersion, contract: Contract) -> list[str]:
    needed = features.raw_columns
    present = [column.name for column in contract.columns]
    for name in needed:
        if name not in present:
            raise RegistryError(
                f"{version.name}/{version.version} reads the column `{name}`, which contract "
                f"{contract.name} does not have; name the contract it was trained with."
            )
    return needed


def _scored(
    kept: pa.Table, probability_B: np.ndarray, version: ModelVersion, schema: pa.Schema
) -> pa.Table:
    rows = kept.num_rows
    name = pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()).fill_null(0), [version.name])
    number = pa.nulls(rows, pa.int32()).fill_null(int(version.version))
    columns = [*kept.columns, pa.array(probability_B), name, number]
    return pa.table([c.cast(t) for c, t in zip(columns, schema.types, strict=True)], schema=schema)
