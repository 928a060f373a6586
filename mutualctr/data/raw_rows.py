"""Raw rows as a model gets them, in a file of their own: what versions are compared on."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.contract import Contract
from mutualctr.data.event_files import column_chunks


def write_raw_rows(
    events: Path, contract: Contract, path: Path, part_R: np.ndarray | None = None, part: int = 0
) -> np.ndarray:
    """Write the rows of one part (of all, without `part_R`) to Parquet; returns their label_R.

    The columns are those that a feature may be made from, so any vocabulary can read them.
    """
    columns = [c.name for c in contract.columns if c.role not in ("label", "ignored", "id")]
    labels, writer = [], None
    for start, table in column_chunks(events, [contract.label, *columns]):
        if part_R is not None:
            table = table.filter(pa.array(part_R[start : start + table.num_rows] == part))
        writer = writer or pq.ParquetWriter(path, table.select(columns).schema)
        writer.write_table(table.select(columns))
        labels.append(table[contract.label].to_numpy())
    writer.close()
    return np.concatenate(labels)
