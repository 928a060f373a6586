"""Batch scoring: every row of the events gets a probability, in order, in bounded memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.event_files import column_chunks
from mutualctr.data.features import FeatureMap
from mutualctr.data.read_ahead import read_ahead
from mutualctr.errors import RegistryError
from mutualctr.files import replacing
from mutualctr.reference import Events, Scores
from mutualctr.registry.aliases import find_version
from mutualctr.registry.load import load_served

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
        for kept_B, ids_BF in read_ahead(_encoded(events, served, columns, kept)):
            probability_B = served.predict_encoded(ids_BF)
            assert len(probability_B) == kept_B.num_rows
            writer.write_table(_scored(kept_B, probability_B, version, schema))
            rows += kept_B.num_rows
    assert rows == events.rows, f"{rows} rows scored of {events.rows}"
    return Scores.of(folder, rows=rows, model=f"{version.name}/{version.version}")


def _encoded(
    events: Events, served: Any, columns: list[str], kept: list[str]
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Ids of each row group beside the columns that are written with its probabilities."""
    for _, table in column_chunks(events.files, columns):
        yield table.select(kept), served.features.encode_table(table)


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
