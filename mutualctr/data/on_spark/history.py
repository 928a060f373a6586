"""What users clicked before: their rows are brought together, looked up, and brought back.

file n   → (file, position, user, time, item, clicked, part) of each row with a known user
bucket   → the library's ClickHistory over all rows of some users, in the order of the rows
back     → <folder>/<sequence>/file=n/*.parquet: the items of each row that has any
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mutualctr.data import features
from mutualctr.data.blocks import FEATURES
from mutualctr.data.coded import read_coded
from mutualctr.data.contract import ROW_COLUMN, Contract, Sequence
from mutualctr.data.layout import PADDING, SequenceLayout
from mutualctr.data.on_spark.files import EventFile
from mutualctr.data.on_spark.tasks import rows_of_each
from mutualctr.data.sequences import ClickHistory, clicks_and_times
from mutualctr.data.split import read_parts

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BUCKET_ROWS = 1 << 20
"""About as many rows of some users are in one task's memory together."""
ROWS = (
    "file int, position bigint, user string, time bigint, item int, clicked boolean, part tinyint"
)
FOUND = "file int, position bigint, items array<int>"


class FoundItems:
    """The looked-up items of one file, as a `ClickHistory` gives them."""

    def __init__(self, folder: Path, file: EventFile):
        self._table = None
        if (folder / f"file={file.number}").is_dir():
            names = ["position", "items"]
            self._table = pq.read_table(folder / f"file={file.number}", columns=names)
        self._rows = file.rows

    def last(self, rows: slice, length: int) -> np.ndarray:
        """local_ids_BL int32 of these rows, counted within the file."""
        ids_RL = np.full((self._rows, length), PADDING, np.int32)
        if self._table is not None:
            items = self._table["items"].combine_chunks().flatten().to_numpy()
            ids_RL[self._table["position"].to_numpy()] = items.reshape(-1, length)
        return ids_RL[rows]


def look_up(
    session: "SparkSession",
    files: list[EventFile],
    parts: Path,
    contract: Contract,
    sequence: Sequence,
    layout: SequenceLayout,
    folder: Path,
    target: Path,
) -> None:
    """Write the items of a sequence below `target`; `folder` has the feature map."""
    from pyspark.sql import functions as sql

    length = sequence.length

    def of_file(file: EventFile) -> pa.Table:
        field = features.load(folder / FEATURES).fields[layout.target]
        part_R = np.asarray(read_parts(parts)[file.place])
        coded = read_coded(file.path, part_R, [sequence.user, field.feature.column])
        users = coded.columns[sequence.user].values_V.cast(pa.string())
        item_V = field.ids_of(coded.columns[field.feature.column].values_V)

        def of_rows(name: str, of_value_V: np.ndarray, missing: int) -> np.ndarray:
            numbers = range(len(coded.groups))
            return np.concatenate([coded.lookup(n, name, of_value_V, missing) for n in numbers])

        user_R = of_rows(sequence.user, np.arange(len(users)), -1)
        item_R = of_rows(field.feature.column, item_V, PADDING)
        clicked_R, time_R = clicks_and_times(file.path, contract, part_R)
        if contract.time == ROW_COLUMN:
            time_R = time_R + file.start
        known = np.flatnonzero(user_R >= 0)
        return pa.table({
            "file": np.full(len(known), file.number, np.int32),
            "position": known,
            "user": users.take(pa.array(user_R[known])),
            "time": time_R[known],
            "item": item_R[known].astype(np.int32),
            "clicked": clicked_R[known],
            "part": part_R[known].astype(np.int8),
        })  # fmt: skip

    def of_bucket(rows: pa.Table) -> pa.Table:
        rows = rows.sort_by([("file", "ascending"), ("position", "ascending")])
        history = ClickHistory(
            user_R=pc.index_in(rows["user"], rows["user"].unique()).to_numpy(),
            time_R=rows["time"].to_numpy(),
            item_R=rows["item"].to_numpy(),
            clicked_R=rows["clicked"].to_numpy(),
            part_R=rows["part"].to_numpy(),
        )
        ids_BL = history.last(slice(0, rows.num_rows), length)
        kept = np.flatnonzero((ids_BL != PADDING).any(axis=1))
        items_N = ids_BL[kept].reshape(-1)
        ends = np.arange(0, len(items_N) + 1, length, dtype=np.int32)
        found = rows.select(["file", "position"]).take(kept)
        return found.append_column("items", pa.ListArray.from_arrays(ends, items_N))

    buckets = 1 + sum(file.rows for file in files) // BUCKET_ROWS
    gathered = rows_of_each(session, of_file, files, ROWS)
    bucket = sql.expr(f"pmod(xxhash64(user), {buckets})").alias("bucket")
    found = gathered.groupBy(bucket).applyInArrow(of_bucket, FOUND)
    found.repartition("file").write.partitionBy("file").parquet(f"file://{target.absolute()}")
