"""Ids of a few raw rows, at once: what a request brings, against tables made when a model loads.

`FeatureMap.encode_frame` builds a hash table of a field's tokens at every call, which a million
rows pay for and one row does not. Here the tables are made once, and a transform runs once over
the values of all its fields. Tokens come from the same transforms, and whatever is not plainly a
text, a whole number or missing is left to `encode_frame`, so that both read a row alike. So are
maps with sequences or quantiles.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mutualctr.data.features import INTEGER, FeatureMap
from mutualctr.data.layout import MISSING, RARE, RESERVED
from mutualctr.data.tokens import TRANSFORMS

PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}")
EXACT_IN_FLOAT64 = 1 << 53


class Lookup:
    """A feature map prepared for small batches."""

    def __init__(self, feature_map: FeatureMap):
        self._feature_map = feature_map
        self._plain = not feature_map.sequences and not any(
            f.edges is not None for f in feature_map.fields
        )
        self._columns = list(dict.fromkeys(field.feature.column for field in feature_map.fields))
        self._types = {field.feature.column: field.column_type for field in feature_map.fields}
        self._ids_F = [
            {token: id for id, token in enumerate(field.tokens_V.to_pylist(), offset + RESERVED)}
            for field, offset in zip(feature_map.fields, feature_map.offset_F.tolist(), strict=True)
        ]
        self._groups: dict[tuple[str, str], list[int]] = {}
        for f, field in enumerate(feature_map.fields):
            group = (field.feature.transform, field.column_type)
            self._groups.setdefault(group, []).append(f)

    def encode_frame(self, frame: pd.DataFrame) -> np.ndarray:
        """Raw rows → ids_BF, int32; the same ids and the same DataError as the feature map's."""
        values = self._plain_values(frame) if self._plain else None
        if values is None:
            return self._feature_map.encode_frame(frame)
        rows = len(frame)
        ids_BF = np.empty((rows, len(self._ids_F)), dtype=np.int32)
        for (transform, column_type), members in self._groups.items():
            fields = [self._feature_map.fields[f] for f in members]
            group = [value for field in fields for value in values[field.feature.column]]
            raw = pa.array(group, pa.int64() if column_type == INTEGER else pa.string())
            tokens = TRANSFORMS[transform](raw).to_pylist()
            for place, f in enumerate(members):
                ids, offset = self._ids_F[f], int(self._feature_map.offset_F[f])
                ids_BF[:, f] = [
                    offset + MISSING if token is None else ids.get(token, offset + RARE)
                    for token in tokens[place * rows : (place + 1) * rows]
                ]
        return ids_BF

    def _plain_values(self, frame: pd.DataFrame) -> dict[str, list[Any]] | None:
        """Values by column, or None where a column is absent or a value needs a closer look."""
        try:
            rows = frame[self._columns].to_numpy(dtype=object)
        except KeyError:
            return None
        values = {}
        for column, raw_B in zip(self._columns, rows.T.tolist(), strict=True):
            read = _whole_number if self._types[column] == INTEGER else _text
            values[column] = _all_plain(raw_B, read)
            if values[column] is None:
                return None
        return values


class _NotPlain(Exception):
    """A value that only `encode_frame` knows how to read or to refuse."""


def _all_plain(raw_B: list[Any], read: Callable[[Any], Any]) -> list[Any] | None:
    try:
        return [read(value) for value in raw_B]
    except _NotPlain:
        return None


def _whole_number(value: Any) -> int | None:
    kind = type(value)
    if kind is str:
        value = value.strip()
        if not value:
            return None
        if PLAIN_NUMBER.fullmatch(value) is None:
            raise _NotPlain
        return int(value)
    if value is None or value is pd.NA:
        return None
    if kind is float:
        if value != value:
            return None
        if not value.is_integer():
            raise _NotPlain
    elif kind is not int:
        raise _NotPlain
    if abs(value) >= EXACT_IN_FLOAT64:
        raise _NotPlain
    return int(value)


def _text(value: Any) -> str | None:
    if type(value) is str:
        return value or None
    if value is None or value is pd.NA or (type(value) is float and value != value):
        return None
    raise _NotPlain
