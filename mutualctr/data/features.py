"""The feature map: which token of which field is which row of the embedding table.

Ids of a field, before its offset: 0 padding, 1 missing, 2 rare or unseen, then the tokens seen at
least `min_count` times in train, most frequent first (ties by text). All fields share one table;
field f owns the rows offset[f] … offset[f] + size[f] − 1. A sequence owns none: its ids are those
of the field whose vocabulary it shares.

On disk: `features.json` (fields, offsets, rule) and `vocabulary.csv` (field, token, count in the
order of the ids), both meant to be read by people.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mutualctr.data.coded import CodedColumn, CodedEvents
from mutualctr.data.contract import Feature, Sequence
from mutualctr.data.in_threads import in_threads
from mutualctr.data.layout import MISSING, PADDING, RARE, RESERVED, SequenceLayout
from mutualctr.data.sequences import last_items
from mutualctr.data.tokens import TRANSFORMS, quantile, quantile_edges
from mutualctr.errors import DataError
from mutualctr.files import replacing

FORMAT_VERSION = 2
INTEGER, TEXT = "integer", "text"


@dataclass(frozen=True)
class Field:
    """One field of the model: its feature, its raw column's type, its tokens in id order."""

    feature: Feature
    column_type: str
    tokens_V: pa.Array
    counts_V: pa.Array
    edges: tuple[int, ...] | None = None
    """Of the buckets of a quantile feature."""

    @property
    def size(self) -> int:
        """Rows of the table that belong to this field, the reserved ones included."""
        return RESERVED + len(self.tokens_V)

    def ids_of(self, values: pa.Array) -> np.ndarray:
        """Ids before the offset, int32, of distinct raw values."""
        token_U = tokens_of(self.feature, values, self.edges)
        position_U = pc.index_in(token_U, value_set=self.tokens_V)
        id_U = pc.fill_null(pc.add(position_U, pa.scalar(RESERVED, pa.int32())), RARE)
        return pc.if_else(token_U.is_valid(), id_U, MISSING).to_numpy(zero_copy_only=False)

    def local_ids(self, values: pa.Array) -> np.ndarray:
        """Ids before the offset, int32, of one raw column of rows, coded by a dictionary or not."""
        coded = values.dictionary_encode()
        id_U = np.append(self.ids_of(coded.dictionary), MISSING).astype(np.int32)
        code_B = coded.indices.fill_null(len(coded.dictionary))
        return id_U[code_B.to_numpy(zero_copy_only=False)]


@dataclass(frozen=True)
class FeatureMap:
    """All fields with their offsets in the one table, and the sequences behind them."""

    fields: tuple[Field, ...]
    min_count: int
    sequence_features: tuple[Sequence, ...] = ()

    @cached_property
    def offset_F(self) -> np.ndarray:
        """First table row of each plain field."""
        sizes = [field.size for field in self.fields]
        return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)

    @property
    def num_ids(self) -> int:
        return sum(field.size for field in self.fields)

    @property
    def num_fields(self) -> int:
        """Columns of ids_BF: the plain fields, then every place of every sequence."""
        return len(self.fields) + sum(sequence.length for sequence in self.sequence_features)

    @cached_property
    def sequences(self) -> tuple[SequenceLayout, ...]:
        """Where each sequence lies in ids_BF."""
        names = [field.feature.name for field in self.fields]
        layouts, start = [], len(self.fields)
        for sequence in self.sequence_features:
            target = names.index(sequence.of)
            layouts.append(
                SequenceLayout(
                    name=sequence.name,
                    start=start,
                    length=sequence.length,
                    target=target,
                    padding_id=int(self.offset_F[target]) + PADDING,
                )
            )
            start += sequence.length
        return tuple(layouts)

    def encode_table(self, table: pa.Table | pa.RecordBatch) -> np.ndarray:
        """Typed raw columns → ids_BF, int32, ready for the table.

        Text that comes as codes into a dictionary is not hashed again (`RowGroup.read`).
        A sequence of a `user` is a column of its own name that holds lists of items, oldest first.
        """
        ids_BF = np.empty((table.num_rows, self.num_fields), dtype=np.int32)
        for f, field in enumerate(self.fields):
            column = _one_array(table.column(field.feature.column))
            ids_BF[:, f] = field.local_ids(column) + self.offset_F[f]
        for sequence, layout in zip(self.sequence_features, self.sequences, strict=True):
            place = slice(layout.start, layout.start + layout.length)
            ids_BF[:, place] = self._sequence_ids(table, sequence, layout) + layout.padding_id
        return ids_BF

    def _sequence_ids(
        self, table: pa.Table | pa.RecordBatch, sequence: Sequence, layout: SequenceLayout
    ) -> np.ndarray:
        field = self.fields[layout.target]
        if sequence.columns is not None:
            columns = [_one_array(table.column(name)) for name in sequence.columns]
            ids_BC = np.stack([item_ids(field, sequence, column) for column in columns], axis=1)
            return last_items(ids_BC, sequence.length)
        lists = _one_array(table.column(sequence.name))
        ids_BL = np.full((len(lists), sequence.length), PADDING, np.int32)
        length_B = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        ids_N = item_ids(field, sequence, lists.flatten())
        for row, (end, length) in enumerate(zip(np.cumsum(length_B), length_B, strict=True)):
            kept = min(length, sequence.length)
            ids_BL[row, sequence.length - kept :] = ids_N[end - kept : end]
        return last_items(ids_BL, sequence.length)

    def encode_frame(self, frame: pd.DataFrame) -> np.ndarray:
        """Raw rows as people hold them (text, numbers, None, NaN, '') → ids_BF.

        Raises DataError for an absent column and for text in an integer column.
        """
        columns = {}
        for name, column_type in self._raw_columns().items():
            if name not in frame.columns:
                raise DataError(
                    f"The rows have no column `{name}`; give all of "
                    f"{', '.join(self._raw_columns())}."
                )
            if column_type in (INTEGER, TEXT):
                columns[name] = _raw_column(frame[name], column_type)
            else:
                columns[name] = _raw_lists(frame[name], column_type.removeprefix(LIST_OF))
        return self.encode_table(pa.table(columns))

    def _raw_columns(self) -> dict[str, str]:
        """Name and type of every column that a raw row must have."""
        types = {field.feature.column: field.column_type for field in self.fields}
        for sequence, layout in zip(self.sequence_features, self.sequences, strict=True):
            column_type = self.fields[layout.target].column_type
            if sequence.columns is not None:
                types |= dict.fromkeys(sequence.columns, column_type)
            else:
                types[sequence.name] = LIST_OF + column_type
        return types

    @property
    def raw_columns(self) -> list[str]:
        """What `encode_frame` needs, by name."""
        return list(self._raw_columns())

    def save(self, folder: Path) -> None:
        """Write features.json and vocabulary.csv into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        described = {
            "format_version": FORMAT_VERSION,
            "min_count": self.min_count,
            "num_ids": self.num_ids,
            "num_fields": self.num_fields,
            "reserved": {"padding": PADDING, "missing": MISSING, "rare": RARE},
            "fields": [
                field.feature.model_dump(exclude_none=True)
                | {"column_type": field.column_type}
                | ({} if field.edges is None else {"edges": list(field.edges)})
                | {"offset": int(offset), "size": field.size}
                for field, offset in zip(self.fields, self.offset_F, strict=True)
            ],
            "sequences": [
                sequence.model_dump(exclude_none=True)
                | layout.model_dump(include={"start", "padding_id"})
                for sequence, layout in zip(self.sequence_features, self.sequences, strict=True)
            ],
        }
        with replacing(folder / "features.json") as temporary:
            temporary.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        vocabulary = pa.table(
            {
                "field": pa.concat_arrays(
                    [pa.repeat(f.feature.name, len(f.tokens_V)) for f in self.fields]
                ),
                "token": pa.concat_arrays([f.tokens_V for f in self.fields]),
                "count": pa.concat_arrays([f.counts_V for f in self.fields]),
            }
        )
        with replacing(folder / "vocabulary.csv") as temporary:
            pa.csv.write_csv(vocabulary, temporary)


LIST_OF = "list of "


def tokens_of(feature: Feature, values: pa.Array, edges: tuple[int, ...] | None) -> pa.Array:
    """The token of each value."""
    if edges is not None:
        return quantile(values, edges)
    return TRANSFORMS[feature.transform](values)


def item_ids(field: Field, sequence: Sequence, values: pa.Array) -> np.ndarray:
    """Local ids of the items of a sequence; where there is none, padding."""
    coded = values.dictionary_encode()
    id_U = field.ids_of(coded.dictionary)
    if sequence.padding is not None:
        id_U = np.where(_is_text(coded.dictionary, sequence.padding), PADDING, id_U)
    id_U = np.append(id_U, PADDING).astype(np.int32)
    code_B = coded.indices.fill_null(len(coded.dictionary))
    return id_U[code_B.to_numpy(zero_copy_only=False)]


def _is_text(values: pa.Array, text: str) -> np.ndarray:
    return pc.equal(values.cast(pa.string()), text).to_numpy(zero_copy_only=False)


def load(folder: Path) -> FeatureMap:
    """Read a feature map written by `FeatureMap.save`."""
    described = json.loads((folder / "features.json").read_text(encoding="utf-8"))
    if described["format_version"] != FORMAT_VERSION:
        raise DataError(
            f"{folder}: the feature map has format {described['format_version']} and this version "
            f"of mutualctr reads format {FORMAT_VERSION}; use the version that wrote it."
        )
    types = {"field": pa.string(), "token": pa.string(), "count": pa.int64()}
    vocabulary = pa.csv.read_csv(
        folder / "vocabulary.csv",
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(column_types=types, strings_can_be_null=False),
    ).combine_chunks()
    fields, start = [], 0
    for entry in described["fields"]:
        length = entry["size"] - RESERVED
        part = vocabulary.slice(start, length).combine_chunks()
        start += length
        feature = Feature(**{key: entry[key] for key in Feature.model_fields if key in entry})
        assert part.num_rows == length
        assert pc.all(pc.equal(part["field"], entry["name"])).as_py() in (True, None)
        tokens, counts = _one_array(part["token"]), _one_array(part["count"])
        edges = tuple(entry["edges"]) if "edges" in entry else None
        fields.append(Field(feature, entry["column_type"], tokens, counts, edges))
    sequences = [
        Sequence(**{key: entry[key] for key in Sequence.model_fields if key in entry})
        for entry in described["sequences"]
    ]
    return FeatureMap(tuple(fields), described["min_count"], tuple(sequences))


def raw_columns(features: Iterable[Feature], sequences: Iterable[Sequence]) -> list[str]:
    """The columns of the events that have to be read as codes."""
    of = {feature.name: feature.column for feature in features}
    names = list(of.values())
    for sequence in sequences:
        names += sequence.columns or [sequence.user, of[sequence.of]]
    return list(dict.fromkeys(names))


def fit(
    coded: CodedEvents,
    features: list[Feature],
    sequences: tuple[Sequence, ...],
    column_types: dict[str, str],
    min_count: int,
) -> FeatureMap:
    """Keep the tokens seen at least `min_count` times in train.

    An item counts where it is the field's own value and where it stands in columns of a sequence
    that shares the field's vocabulary.
    """

    def fitted(feature: Feature) -> Field:
        column = coded.columns[feature.column]
        edges = None
        if feature.transform == "quantile":
            edges = quantile_edges(column.values_V, column.train_count_V, feature.buckets)
        counted = count_tokens(coded, feature, sequences, edges)
        return field_of(feature, column_types[feature.column], counted, edges, min_count)

    return FeatureMap(tuple(in_threads(fitted, features)), min_count, sequences)


def count_tokens(
    coded: CodedEvents,
    feature: Feature,
    sequences: tuple[Sequence, ...],
    edges: tuple[int, ...] | None,
) -> pa.Table:
    """`token` and `count`: how often train has each token of the feature's vocabulary."""
    counted = [_tokens(feature, coded.columns[feature.column], edges)]
    for sequence in sequences:
        if sequence.of == feature.name:
            for name in sequence.columns or ():
                tokens, counts = _tokens(feature, coded.columns[name], edges)
                if sequence.padding is not None:
                    item = ~_is_text(tokens, sequence.padding)
                    tokens, counts = tokens.filter(pa.array(item)), counts[item]
                counted.append((tokens, counts))
    merged = pa.concat_arrays([tokens for tokens, _ in counted]).dictionary_encode()
    count_V = np.zeros(len(merged.dictionary), np.int64)
    np.add.at(count_V, merged.indices.to_numpy(), np.concatenate([counts for _, counts in counted]))
    return pa.table({"token": merged.dictionary, "count": count_V})


def field_of(
    feature: Feature,
    column_type: str,
    counted: pa.Table,
    edges: tuple[int, ...] | None,
    min_count: int,
) -> Field:
    """The field with the tokens that are frequent enough, in the order of their ids."""
    kept = counted.filter(pc.greater_equal(counted["count"], min_count))
    order = pc.sort_indices(kept, sort_keys=[("count", "descending"), ("token", "ascending")])
    tokens_V, counts_V = (_one_array(kept[name].take(order)) for name in ("token", "count"))
    return Field(feature, column_type, tokens_V, counts_V, edges)


def _tokens(
    feature: Feature, column: CodedColumn, edges: tuple[int, ...] | None
) -> tuple[pa.Array, np.ndarray]:
    """The tokens that train has, not yet merged, and how often."""
    in_train = column.train_count_V > 0
    values = column.values_V.filter(pa.array(in_train))
    return tokens_of(feature, values, edges), column.train_count_V[in_train]


def _one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray) and pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _raw_column(series: pd.Series, column_type: str) -> pa.Array:
    """A pandas column of any dtype → int64 or text, missing and '' → null."""
    if column_type == INTEGER:
        text = series.astype("string").str.strip()
        number = pd.to_numeric(text.mask(text == ""), errors="coerce")
        broken = number.isna() & text.notna() & (text != "")
        broken |= number.notna() & (number % 1 != 0)
        if broken.any():
            row = int(np.flatnonzero(broken.to_numpy(dtype=bool, na_value=False))[0])
            raise DataError(
                f"Row {row}, column `{series.name}`: {series.iloc[row]!r} is not a whole number; "
                "correct it or leave it empty."
            )
        return pa.array(number.astype("Int64"), pa.int64())
    present = series[series.notna()]
    text = present.map(lambda value: value if isinstance(value, str) else _plain(value))
    text = text.astype("string").reindex(series.index)
    return pa.array(text.mask(text == ""), pa.string())


def _raw_lists(series: pd.Series, column_type: str) -> pa.Array:
    """A pandas column of lists, or nothing, → lists of int64 or of text without missing items."""
    lists = [
        [item for item in value if not (pd.isna(item) or item == "")]
        if isinstance(value, list | tuple | np.ndarray)
        else []
        for value in series
    ]
    items = pd.Series([item for one in lists for item in one], dtype=object, name=series.name)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, _raw_column(items, column_type))


def _plain(value: object) -> str:
    """1.0 → '1': pandas turns whole numbers into floats beside a missing value."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
