"""Small scorings, labels and days to monitor."""

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.content import ContentDigest
from mutualctr.data.contract import Contract
from mutualctr.monitoring.config import AlarmConfig
from mutualctr.reference import Events, Scores

FIRST, SECOND, THIRD = (date(2026, 3, day) for day in (29, 30, 31))
ALARMS = AlarmConfig(
    rows_at_least=4,
    labelled_share_at_least=0.9,
    pcoc={"low": 0.8, "high": 1.25},
    auc_at_least=0.6,
    logloss_at_most=None,
    psi_at_most=0.25,
    probability_psi_at_most=0.25,
    unseen_share_at_most=0.1,
    retrain=None,
)


def contract(with_id: bool) -> Contract:
    """A label, a colour, perhaps an id."""
    columns = [
        {"name": "click", "type": "integer", "role": "label"},
        {"name": "colour", "type": "text", "role": "category"},
    ]
    if with_id:
        columns.insert(0, {"name": "id", "type": "text", "role": "id"})
    return Contract.model_validate(
        {
            "name": "ads",
            "description": "",
            "format": {"delimiter": "tab", "header": True, "missing": ""},
            "time": "row",
            "columns": columns,
            "expectations": [],
            "common_features": [{"name": "colour", "column": "colour", "transform": "category"}],
            "alternatives": {},
        }
    )


def scoring(folder: Path, model: str, *parts: tuple) -> Scores:
    """parts: (file, day or None, [(key, colour, probability)])."""
    folder.mkdir(parents=True)
    rows = [row for _, _, part in parts for row in part]
    pq.write_table(
        pa.table(
            {
                "row": pa.array(range(1, len(rows) + 1), pa.int64()),
                "id": pa.array([key for key, _, _ in rows], pa.string()),
                "probability": pa.array([p for _, _, p in rows], pa.float64()),
            }
        ),
        folder / "scores.parquet",
        row_group_size=2,
    )
    record, first = [], 1
    for file, day, part in parts:
        digest = ContentDigest(["colour"])
        digest.add(pa.table({"colour": pa.array([colour for _, colour, _ in part], pa.string())}))
        record.append(
            {
                "file": file,
                "day": day and day.isoformat(),
                "sha256": "",
                "first_row": first,
                "rows": len(part),
                "content_sha256": digest.hexdigest(),
            }
        )
        first += len(part)
    text = json.dumps({"columns": ["colour"], "partitions": record})
    (folder / "partitions.json").write_text(text)
    return Scores(folder=folder, digest="", rows=len(rows), model=model)


def labels(folder: Path, *parts: tuple) -> Events:
    """parts: (file, day, [(key, colour, click)]); a malformed row is None."""
    (folder / "files").mkdir(parents=True)
    record, first, total = [], 1, 0
    for number, (file, day, rows) in enumerate(parts):
        kept = [(first + at, *row) for at, row in enumerate(rows) if row is not None]
        table = pa.table(
            {
                "row": pa.array([row[0] for row in kept], pa.int64()),
                "id": pa.array([row[1] for row in kept], pa.string()),
                "click": pa.array([row[3] for row in kept], pa.int64()),
                "colour": pa.array([row[2] for row in kept], pa.string()),
            }
        )
        pq.write_table(table, folder / "files" / f"{number:05d}.parquet")
        record.append(
            {
                "file": file,
                "day": day and day.isoformat(),
                "sha256": "",
                "first_row": first,
                "rows": len(kept),
                "malformed": len(rows) - len(kept),
            }
        )
        first, total = first + len(rows), total + len(kept)
    (folder / "files.json").write_text(json.dumps(record))
    return Events(folder=folder, digest="", source="labelled", source_sha256="", rows=total)


def set_aside(path: Path, *rows: int) -> Path:
    """The file of rows that were set aside."""
    pq.write_table(pa.table({"row": pa.array(rows, pa.int64())}), path)
    return path
