"""Small events written as ingest lays them out."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.event_files import file_name


def write_events(folder: Path, columns, row_group_size: int | None = None) -> Path:
    """Write one file of events below `folder`; returns what a step would be given."""
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, files / file_name(0), row_group_size=row_group_size)
    return files
