"""The files of the events, and where each stands among all rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mutualctr.data.event_files import event_files, read_files_record
from mutualctr.errors import EngineError


@dataclass(frozen=True)
class EventFile:
    """One Parquet file; a task goes over the rows of one."""

    path: Path
    number: int
    """Of the source file, from 0."""
    start: int
    """Position of its first row in all events."""
    rows: int
    first_row: int
    """`row` of the first row of its source file."""
    end_row: int
    """One more than that of the last; malformed rows have numbers too."""

    @property
    def place(self) -> slice:
        return slice(self.start, self.start + self.rows)


def files_of(events: Path) -> list[EventFile]:
    """The files that have rows, in their order, from `files.json` beside the folder."""
    record = read_files_record(events)
    start_N = np.cumsum([0, *(entry["rows"] for entry in record)]).tolist()
    return [
        EventFile(
            path,
            number,
            start_N[number],
            entry["rows"],
            entry["first_row"],
            entry["first_row"] + entry["rows"] + entry["malformed"],
        )
        for number, (path, entry) in enumerate(zip(event_files(events), record, strict=True))
        if entry["rows"]
    ]


def check_shared(folder: Path) -> None:
    """In an executor: raise EngineError where it does not see a folder of the driver."""
    if not folder.is_dir():
        raise EngineError(
            f"An executor of Spark does not see {folder}, where the run writes; let the artifact "
            "store or $TMPDIR lie on a disk that all machines share."
        )
