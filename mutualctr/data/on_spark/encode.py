"""Encoding: tokens counted per file and summed by Spark, blocks filled by a task per file.

Each task codes its file with the library's own function and writes its rows at their place in
arrays that lie on the shared disk.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mutualctr.data import features
from mutualctr.data.blocks import FEATURES, create_blocks, fill_blocks, rows_per_part
from mutualctr.data.coded import CodedEvents, read_coded
from mutualctr.data.contract import Contract, Feature, Sequence
from mutualctr.data.features import FeatureMap
from mutualctr.data.on_spark.files import EventFile, check_shared, files_of
from mutualctr.data.on_spark.history import FoundItems, look_up
from mutualctr.data.on_spark.tasks import result_of_each, rows_of_each
from mutualctr.data.on_spark.values import SCHEMA, counted_values, counts_table, summed
from mutualctr.data.split import TRAIN, read_parts
from mutualctr.data.tokens import quantile_edges

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Edges = dict[str, tuple[int, ...]]
"""Of the quantile features, by name."""


def encode(
    session: "SparkSession",
    events: Path,
    parts: Path,
    contract: Contract,
    feature_set: str | None,
    min_count: int,
    folder: Path,
) -> FeatureMap:
    """Fit the feature map on train, write it and the three blocks."""
    chosen, sequences = contract.features(feature_set), contract.sequences(feature_set)
    files = files_of(events)
    feature_map = _fit(session, files, parts, contract, chosen, sequences, min_count)
    feature_map.save(folder / FEATURES)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".histories-") as temporary:
        histories = Path(temporary)
        looked_up = []
        for sequence, layout in zip(sequences, feature_map.sequences, strict=True):
            if sequence.user is not None:
                looked_up.append(sequence.name)
                target = histories / sequence.name
                look_up(session, files, parts, contract, sequence, layout, folder, target)
        _fill(session, files, parts, contract, feature_map, folder, histories, looked_up)
    return feature_map


def _fill(
    session: "SparkSession",
    files: list[EventFile],
    parts: Path,
    contract: Contract,
    feature_map: FeatureMap,
    folder: Path,
    histories: Path,
    looked_up: list[str],
) -> None:
    rows_NP = np.array(
        result_of_each(session, lambda f: rows_per_part(read_parts(parts)[f.place]), files)
    )
    create_blocks(folder, rows_NP.sum(axis=0), feature_map.num_fields)
    start_NP = np.cumsum(rows_NP, axis=0) - rows_NP
    chosen = [field.feature for field in feature_map.fields]
    names = features.raw_columns(chosen, feature_map.sequence_features)

    def fill(item: tuple[EventFile, np.ndarray]) -> None:
        file, start_P = item
        check_shared(folder)
        part_R = read_parts(parts)[file.place]
        coded = read_coded(file.path, part_R, names)
        written = features.load(folder / FEATURES)
        found = {name: FoundItems(histories / name, file) for name in looked_up}
        fill_blocks(file.path, coded, part_R, written, contract, folder, start_P, found)

    result_of_each(session, fill, list(zip(files, start_NP, strict=True)))


def _fit(
    session: "SparkSession",
    files: list[EventFile],
    parts: Path,
    contract: Contract,
    chosen: list[Feature],
    sequences: tuple[Sequence, ...],
    min_count: int,
) -> FeatureMap:
    """`features.fit`, with only the tokens that are frequent enough on the driver."""
    edges = _edges(session, files, parts, chosen)
    names = features.raw_columns(chosen, sequences)

    def count(file: EventFile) -> pa.Table:
        coded = read_coded(file.path, read_parts(parts)[file.place], names)
        return pa.concat_tables([_tokens_of(coded, f, sequences, edges) for f in chosen])

    counted = summed(rows_of_each(session, count, files, SCHEMA))
    frequent = counted.where(counted["rows"] >= min_count).toArrow()

    def field(feature: Feature) -> features.Field:
        own = frequent.filter(pc.equal(frequent["name"], feature.name))
        table = pa.table({"token": own["value"], "count": own["rows"]}).combine_chunks()
        column_type = contract.column_types[feature.column]
        return features.field_of(feature, column_type, table, edges.get(feature.name), min_count)

    return FeatureMap(tuple(field(feature) for feature in chosen), min_count, sequences)


def _tokens_of(
    coded: CodedEvents, feature: Feature, sequences: tuple[Sequence, ...], edges: Edges
) -> pa.Table:
    counted = features.count_tokens(coded, feature, sequences, edges.get(feature.name))
    token_V = counted["token"].combine_chunks()
    return counts_table(feature.name, token_V, counted["count"].to_numpy())


def _edges(
    session: "SparkSession", files: list[EventFile], parts: Path, chosen: list[Feature]
) -> Edges:
    """The distinct train values of quantile features come to the driver with their counts."""
    quantiles = [feature for feature in chosen if feature.transform == "quantile"]
    if not quantiles:
        return {}
    names = list(dict.fromkeys(feature.column for feature in quantiles))
    counted = counted_values(
        session, files, names, lambda file: read_parts(parts)[file.place] == TRAIN
    ).toArrow()
    edges = {}
    for feature in quantiles:
        own = counted.filter(pc.equal(counted["name"], feature.column))
        values = own["value"].cast(pa.int64()).combine_chunks()
        edges[feature.name] = quantile_edges(values, own["rows"].to_numpy(), feature.buckets)
    return edges
