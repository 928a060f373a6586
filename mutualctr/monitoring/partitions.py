"""Which daily partitions were scored and of which the labels are here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from mutualctr.data.contract import ROW_COLUMN
from mutualctr.data.event_files import event_files, read_files_record
from mutualctr.errors import DataError
from mutualctr.reference import Events, Scores
from mutualctr.registry.batch import PARTITIONS, SCORES


@dataclass(frozen=True)
class Scored:
    """One source file in one scoring."""

    scores: Path
    """The Parquet file that holds its rows among others."""
    file: str
    day: date
    model: str
    """Name and version, such as ctr/3."""
    first_row: int
    rows: int
    columns: tuple[str, ...]
    """What the model saw."""
    content_sha256: str
    """Of these columns (`mutualctr/data/content.py`)."""


@dataclass(frozen=True)
class Labelled:
    """One source file with labels."""

    events: Path
    """The Parquet file that holds its rows and no others."""
    file: str
    day: date
    rows: int
    """Those that could be read."""
    malformed: int


@dataclass(frozen=True)
class Counted:
    """One source file with labels, after the join."""

    partition: Labelled
    day: date
    """Its own, or that of the scored file that has the same rows."""
    unscored: int
    """Its labelled rows that nobody scored."""


def probabilities(part: Scored) -> np.ndarray:
    """probability_B of the partition, in its order."""
    first, after = part.first_row, part.first_row + part.rows
    table = pq.read_table(
        part.scores,
        columns=["probability"],
        filters=[(ROW_COLUMN, ">=", first), (ROW_COLUMN, "<", after)],
    )
    assert table.num_rows == part.rows, part.scores
    return table["probability"].to_numpy()


def scored_partitions(runs: Sequence[Scores], model: str) -> tuple[list[Scored], int]:
    """What the runs scored with any version of `model`, in the order of days and names.

    A partition that was scored several times counts as in the first of `runs`, the newest.
    Second, how many partitions have no day in their name and are passed over, with all of a run
    that is older than partitions.json.
    """
    found: dict[tuple[date, str], Scored] = {}
    passed_over = 0
    for run in runs:
        if run.model.rpartition("/")[0] != model:
            continue
        path = run.folder / PARTITIONS
        if not path.is_file():
            passed_over += 1
            continue
        record = json.loads(path.read_text(encoding="utf-8"))
        for entry in record["partitions"]:
            if entry["day"] is None:
                passed_over += 1
                continue
            day = date.fromisoformat(entry["day"])
            scored = Scored(
                scores=run.folder / SCORES,
                file=entry["file"],
                day=day,
                model=run.model,
                first_row=entry["first_row"],
                rows=entry["rows"],
                columns=tuple(record["columns"]),
                content_sha256=entry["content_sha256"],
            )
            found.setdefault((day, scored.file), scored)
    return [found[key] for key in sorted(found)], passed_over


def labelled_partitions(events: Events) -> list[Labelled]:
    """The source files of the events. Raises DataError for one whose name has no day."""
    files, record = event_files(events.files), read_files_record(events.files)
    for entry in record:
        if entry["day"] is None:
            raise DataError(
                f"Partition {entry['file']} has no day such as 2026-03-29 in its name, so nobody "
                "knows which day its labels are of; rename it."
            )
    return [
        Labelled(
            events=path,
            file=entry["file"],
            day=date.fromisoformat(entry["day"]),
            rows=entry["rows"],
            malformed=entry["malformed"],
        )
        for path, entry in zip(files, record, strict=True)
    ]
