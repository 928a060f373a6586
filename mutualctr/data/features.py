"""The feature map: which token of which field is which row of the embedding table.

Ids of a field, before its offset: 0 padding, 1 missing, 2 rare or unseen, then the tokens seen at
least `min_count` times in train, most frequent first (ties by text). All fields share one table;
field f owns the rows offset[f] … offset[f] + size[f] − 1.

On disk: `features.json` (fields, offsets, rule) and `vocabulary.csv` (field, token, count in the
order of the ids), both meant to be read by people.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mutualctr.data.contract import Feature
from mutualctr.data.event_files import column_chunks
from mutualctr.data.split import TRAIN
from mutualctr.data.tokens import TRANSFORMS
from mutualctr.errors import DataError
from mutualctr.files import replacing

PADDING, MISSING, RARE = range(3)
RESERVED = 3
FORMAT_VERSION = 1
INTEGER, TEXT = "integer", "text"


@dataclass(frozen=True)
class Field:
    """One field of the model: its feature, its raw column's type, its tokens in id order."""

    feature: Feature
    column_type: str
    tokens_V: pa.Array
    counts_V: pa.Array

    @property
    def size(self) -> int:
        """Rows of the table that belong to this field, the reserved ones included."""
        return RESERVED + len(self.tokens_V)

    def local_ids(self, values: pa.Array) -> np.ndarray:
        """Ids before the offset, int32, of one raw column of rows."""
        encoded = values.dictionary_encode()
        token_U = TRANSFORMS[self.feature.transform](encoded.dictionary)
        position_U = pc.index_in(token_U, value_set=self.tokens_V)
        id_U = pc.fill_null(pc.add(position_U, pa.scalar(RESERVED, pa.int32())), RARE)
        id_U = pc.if_else(token_U.is_valid(), id_U, MISSING)
        id_U = np.append(id_U.to_numpy(zero_copy_only=False), MISSING).astype(np.int32)
        null_position = len(encoded.dictionary)
        return id_U[encoded.indices.fill_null(null_position).to_numpy(zero_copy_only=False)]


@dataclass(frozen=True)
class FeatureMap:
    """All fields with their offsets in the one table."""

    fields: tuple[Field, ...]
    min_count: int

    @cached_property
    def offset_F(self) -> np.ndarray:
        sizes = [field.size for field in self.fields]
        return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)

    @property
    def num_ids(self) -> int:
        return sum(field.size for field in self.fields)

    def encode_table(self, table: pa.Table | pa.RecordBatch) -> np.ndarray:
        """Typed raw columns → ids_BF, int32, ready for the table."""
        ids_BF = np.empty((table.num_rows, len(self.fields)), dtype=np.int32)
        for f, field in enumerate(self.fields):
            column = table.column(field.feature.column)
            if isinstance(column, pa.ChunkedArray):
                column = column.combine_chunks()
            ids_BF[:, f] = field.local_ids(column) + self.offset_F[f]
        return ids_BF

    def encode_frame(self, frame: pd.DataFrame) -> np.ndarray:
        """Raw rows as people hold them (text, numbers, None, NaN, '') → ids_BF.

        Raises DataError for an absent column and for text in an integer column.
        """
        columns = {}
        for field in self.fields:
            name = field.feature.column
            if name not in frame.columns:
                raise DataError(
                    f"The rows have no column `{name}`; give all of "
                    f"{', '.join(dict.fromkeys(f.feature.column for f in self.fields))}."
                )
            columns[name] = _raw_column(frame[name], field.column_type)
        return self.encode_table(pa.table(columns))

    def save(self, folder: Path) -> None:
        """Write features.json and vocabulary.csv into a folder, made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        described = {
            "format_version": FORMAT_VERSION,
            "min_count": self.min_count,
            "num_ids": self.num_ids,
            "reserved": {"padding": PADDING, "missing": MISSING, "rare": RARE},
            "fields": [
                {
                    "name": field.feature.name,
                    "column": field.feature.column,
                    "column_type": field.column_type,
                    "transform": field.feature.transform,
                    "offset": int(offset),
                    "size": field.size,
                }
                for field, offset in zip(self.fields, self.offset_F, strict=True)
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


def load(folder: Path) -> FeatureMap:
    """Read a feature map written by `FeatureMap.save`."""
    described = json.loads((folder / "features.json").read_text(encoding="utf-8"))
    assert described["format_version"] == FORMAT_VERSION
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
        feature = Feature(name=entry["name"], column=entry["column"], transform=entry["transform"])
        assert part.num_rows == length
        assert pc.all(pc.equal(part["field"], entry["name"])).as_py() in (True, None)
        tokens, counts = _one_array(part["token"]), _one_array(part["count"])
        fields.append(Field(feature, entry["column_type"], tokens, counts))
    return FeatureMap(tuple(fields), described["min_count"])


def fit(
    events: Path,
    part_R: np.ndarray,
    features: list[Feature],
    column_types: dict[str, str],
    min_count: int,
) -> FeatureMap:
    """Count tokens over the train rows, keep those seen at least `min_count` times."""
    fields = []
    for feature in features:
        tokens, counts = _count_tokens(events, part_R, feature)
        kept = pc.greater_equal(counts, min_count)
        tokens, counts = tokens.filter(kept), counts.filter(kept)
        order = pc.sort_indices(
            pa.table({"count": counts, "token": tokens}),
            sort_keys=[("count", "descending"), ("token", "ascending")],
        )
        column_type = column_types[feature.column]
        fields.append(Field(feature, column_type, tokens.take(order), counts.take(order)))
    return FeatureMap(tuple(fields), min_count)


def _count_tokens(events: Path, part_R: np.ndarray, feature: Feature) -> tuple[pa.Array, pa.Array]:
    """Distinct non-missing tokens of one feature in train, with their counts."""
    tokens, counts = [pa.array([], pa.string())], [pa.array([], pa.int64())]
    for start, table in column_chunks(events, [feature.column]):
        in_train = part_R[start : start + table.num_rows] == TRAIN
        column = table[feature.column].filter(pa.array(in_train))
        encoded = _one_array(column).dictionary_encode()
        seen = encoded.indices.drop_null()
        count_U = np.bincount(seen.to_numpy(), minlength=len(encoded.dictionary))
        tokens.append(TRANSFORMS[feature.transform](encoded.dictionary))
        counts.append(pa.array(count_U, pa.int64()))
    table = pa.table({"token": pa.concat_arrays(tokens), "count": pa.concat_arrays(counts)})
    total = (
        table.filter(pc.greater(table["count"], 0)).group_by("token").aggregate([("count", "sum")])
    )
    return _one_array(total["token"]), _one_array(total["count_sum"])


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
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


def _plain(value: object) -> str:
    """1.0 → '1': pandas turns whole numbers into floats beside a missing value."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
