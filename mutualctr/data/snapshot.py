"""A snapshot of the events: per column how often each value or range of values occurs.

It is what the next run's events are compared with (`drift.py`). Counts are exact and over all
rows. Numbers are counted between the deciles of the snapshot's own values, ends on the right:

    (−∞, e_1], (e_1, e_2], …, (e_m, ∞)        equal deciles are one edge

Categories keep their most frequent values with their counts; ties go to the smaller text.
"""

from math import floor
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from mutualctr.closed import Closed
from mutualctr.data.contract import Contract
from mutualctr.data.event_sql import view_of
from mutualctr.data.tokens import quantile_edges
from mutualctr.errors import DataError
from mutualctr.files import replacing

SNAPSHOT_FILE = "snapshot.json"
VERSION = 1
KEPT_VALUES = 10_000
"""Of each category; the others are counted together."""
BINNED_VALUES = 50
"""Values that PSI and Jensen–Shannon see one by one. With more, two samples of the same law would
look apart: PSI's mean under no drift is about (bins − 1)(1/n + 1/m)."""
BUCKETS = 10
"""Ranges of a number; their edges are deciles."""


class NumberCounts(Closed):
    """Counts between edges: one more count than edges."""

    kind: Literal["number"] = "number"
    missing: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def bins(self) -> np.ndarray:
        """Rows of each range, then of missing."""
        return np.array([*self.counts, self.missing])


class CategoryCounts(Closed):
    """Counts of the kept values, in falling order in the snapshot they come from."""

    kind: Literal["category"] = "category"
    missing: int
    values: tuple[str, ...]
    counts: tuple[int, ...]
    others: int
    """Rows whose value is none of `values`."""

    def bins(self) -> np.ndarray:
        """Rows of each of the first values, of all other values together, of missing."""
        rest = sum(self.counts[BINNED_VALUES:]) + self.others
        return np.array([*self.counts[:BINNED_VALUES], rest, self.missing])

    @property
    def others_share(self) -> float:
        """Share of the values present that are none of `values`; 0 where nothing is present."""
        present = sum(self.counts) + self.others
        return self.others / present if present else 0.0


class Snapshot(Closed):
    """Rows, clicks and the counts of every number and category of the contract."""

    version: Literal[1]
    contract: str
    rows: int
    clicks: int
    numbers: dict[str, NumberCounts]
    categories: dict[str, CategoryCounts]

    def save(self, folder: Path) -> None:
        """Write `snapshot.json`."""
        with replacing(folder / SNAPSHOT_FILE) as temporary:
            temporary.write_text(self.model_dump_json(), encoding="utf-8")


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot; DataError if the file is none."""
    try:
        return Snapshot.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such snapshot; check data.reference.") from None
    except (ValidationError, UnicodeDecodeError):
        raise DataError(
            f"{path}: this is no {SNAPSHOT_FILE} as the validation of a run writes it; point "
            "data.reference at one."
        ) from None


def take_snapshot(selected: str, contract: Contract, reference: Snapshot | None = None) -> Snapshot:
    """Count the rows of the query `selected`.

    With a `reference` it counts in that snapshot's bins: its edges and its values, so that the two
    can be compared bin by bin. The columns of both must be the same.
    """
    with view_of(selected) as connection:
        label = _quoted(contract.label) if contract.has_label else "0"
        rows, clicks = connection.execute(
            f"SELECT count(*), coalesce(sum({label}), 0) FROM events"
        ).fetchone()
        return Snapshot(
            version=VERSION,
            contract=contract.name,
            rows=rows,
            clicks=clicks,
            numbers={
                name: _count_number(connection, name, reference and reference.numbers[name].edges)
                for name in columns_of(contract, "number")
            },
            categories={
                name: _count_category(
                    connection, name, reference and reference.categories[name].values
                )
                for name in columns_of(contract, "category")
            },
        )


def columns_of(contract: Contract, role: str) -> list[str]:
    """The columns of that role; only these drift: a clock always moves."""
    return [column.name for column in contract.columns if column.role == role]


def _count_number(
    connection: duckdb.DuckDBPyConnection, name: str, edges: tuple[float, ...] | None
) -> NumberCounts:
    counted = connection.execute(
        f"SELECT {_quoted(name)} AS value, count(*) AS rows FROM events GROUP BY value"
    ).to_arrow_table()
    present = counted["value"].is_valid()
    values = counted["value"].filter(present).combine_chunks()
    count_V = counted["rows"].filter(present).to_numpy()
    return number_counts(values, count_V, pc.sum(counted["rows"]).as_py() or 0, edges)


def number_counts(
    values: pa.Array, count_V: np.ndarray, rows: int, edges: tuple[float, ...] | None
) -> NumberCounts:
    """From the distinct values and how often each occurs in so many rows.

    Without `edges` they are the deciles: of n values present the ⌈n·k/10⌉-th smallest.
    """
    value_V = values.to_numpy()
    if edges is None:
        edges = quantile_edges(values, count_V, BUCKETS)
    order_V = np.argsort(value_V)
    rows_V = np.append(0, np.cumsum(count_V[order_V]))
    bound_E = np.array([floor(edge) for edge in edges], np.int64)
    cumulative = rows_V[np.searchsorted(value_V[order_V], bound_E, side="right")]
    counts_E = np.diff([0, *cumulative, rows_V[-1]])
    return NumberCounts(
        missing=rows - int(rows_V[-1]), edges=edges, counts=tuple(counts_E.tolist())
    )


def _count_category(
    connection: duckdb.DuckDBPyConnection, name: str, values: tuple[str, ...] | None
) -> CategoryCounts:
    text = f"CAST({_quoted(name)} AS VARCHAR)"
    grouped = f"SELECT {text} AS value, count(*) AS rows FROM events GROUP BY value"
    rows, missing = connection.execute(
        f"SELECT count(*), count(*) FILTER ({_quoted(name)} IS NULL) FROM events"
    ).fetchone()
    if values is None:
        found = connection.execute(
            f"SELECT * FROM ({grouped}) WHERE value IS NOT NULL "
            f"ORDER BY rows DESC, value LIMIT {KEPT_VALUES}"
        ).to_arrow_table()
        values, counts = found["value"].to_pylist(), found["rows"].to_pylist()
    else:
        connection.register("known", pa.table({"value": pa.array(values, pa.string())}))
        found = connection.execute(f"SELECT * FROM ({grouped}) SEMI JOIN known USING (value)")
        count_of = dict(found.fetchall())
        counts = [count_of.get(value, 0) for value in values]
    others = rows - missing - sum(counts)
    return CategoryCounts(
        missing=missing, values=tuple(values), counts=tuple(counts), others=others
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
