"""Batch scoring: every row of the events gets a probability, in order, in bounded memory."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.event_files import column_chunks
from mutualctr.data.features import FeatureMap
from mutualctr.errors import RegistryError
from mutualctr.files import replacing
from mutualctr.reference import Events, Scores
from mutualctr.registry.aliases import find_version
from mutualctr.registry.load import load_served
from mutualctr.registry.serving import ClickProbability

SCORES = "scores.parquet"


def score_events(
    client: MlflowClient, model: str, events: Events, contract: Contract, folder: Path
) -> Scores:
    """Score with `model` (`ctr@champion`, `ctr/3`) into folder/scores.parquet.

    Columns: row (from 1, as in the source), the contract's id where it has one, probability,
    model_name, model_version. There are as many rows as events, in their order.

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
    rows = 0
    with replacing(folder / SCORES) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        tables = (table for _, table in column_chunks(events.files, columns))
        for table, probability_B in _predicted(tables, served):
            assert len(probability_B) == table.num_rows
            writer.write_table(_scored(table.select(kept), probability_B, version, schema))
            rows += table.num_rows
    assert rows == events.rows, f"{rows} rows scored of {events.rows}"
    return Scores.of(folder, rows=rows, model=f"{version.name}/{version.version}")


def _predicted(
    tables: Iterator[pa.Table], served: ClickProbability
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Each table with its probability_B, in order; as many at a time as torch has threads.

    A table to a thread keeps all cores busy with encoding and network alike. Torch's own threads
    would share one small product and wait for each other.
    """

    def predict(table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        return table, served.predict_encoded(served.features.encode_table(table))

    workers = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[tuple[pa.Table, np.ndarray]]] = deque()
            for table in tables:
                waiting.append(pool.submit(predict, table))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(workers)


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
