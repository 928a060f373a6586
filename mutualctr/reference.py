"""What steps hand to each other: small records that point at a folder, never tables.

The folder holds files only this record's writer knows how to lay out; the digest says whether two
folders hold the same. A record's fields beside these are for people who browse.
"""

from pathlib import Path
from typing import Any, Self

import numpy as np

from mutualctr.closed import Closed
from mutualctr.data.layout import SequenceLayout
from mutualctr.files import folder_digest


class Reference(Closed):
    """A folder and the SHA-256 over the names and contents of its files."""

    folder: Path
    digest: str

    @classmethod
    def of(cls, folder: Path, **fields: Any) -> Self:
        """Point at a finished folder."""
        return cls(folder=folder, digest=folder_digest(folder), **fields)


class Events(Reference):
    """files/: the source, typed, in its order (`mutualctr/data/event_files.py`).

    files.json: which source file begins at which row. quarantine.parquet, where there are any:
    malformed rows (`mutualctr/data/malformed.py`).
    """

    source: str
    source_sha256: str
    fingerprint: str = ""
    """What a run is told apart by before it reads (`prepare.source_fingerprint`); empty in records
    that are older than it."""
    rows: int
    quarantined: int = 0
    """Rows in quarantine.parquet; 0 in records that are older than the count."""

    @property
    def files(self) -> Path:
        return self.folder / "files"


class Validation(Reference):
    """validation.json, validation.html, snapshot.json; quarantine.parquet where rows broke rules.

    What the contract says of the events, and what a later run's events are compared with.
    """

    expectations: int
    warnings: int
    set_aside: int
    """Rows that go no further because they break a critical rule."""

    def set_aside_rows(self) -> np.ndarray:
        """The numbers of those rows (`row` of the events), ascending, int64."""
        import pyarrow.parquet as pq

        from mutualctr.data.quarantine import QUARANTINE_FILE

        if not self.set_aside:
            return np.empty(0, np.int64)
        table = pq.read_table(self.folder / QUARANTINE_FILE, columns=["row"])
        return table["row"].to_numpy()


class Split(Reference):
    """parts.npy: the part of each row."""

    train_rows: int
    dev_rows: int
    test_rows: int
    set_aside_rows: int
    """In no part: quarantined, or within the gap of a split by time."""


class Blocks(Reference):
    """train/, dev/, test/ and the feature map."""

    train_rows: int
    num_ids: int
    num_fields: int
    """Columns of ids: the plain fields, then every place of every sequence."""
    sequences: tuple[SequenceLayout, ...] = ()


class Models(Reference):
    """One or several checkpoints, each in a folder named by its position."""

    run_ids: tuple[str, ...]
    """MLflow run of each, where its curve was logged while it trained."""

    @property
    def checkpoints(self) -> list[Path]:
        return [self.folder / str(n) for n in range(len(self.run_ids))]


class Report(Reference):
    """report.json, report.html, report.md."""

    headline: str


class StudyReport(Reference):
    """study.json, study.html, study.md, and study.yaml, which repeats it."""

    findings: tuple[str, ...]


class Tuning(Reference):
    """tuned.yaml (a complete run configuration) and trials.csv."""

    found: str


class Promotion(Reference):
    """promotion.json, promotion.html: the gate's verdicts and what became of the aliases.

    report.json, report.html, report.md: the report with the verdicts.
    """

    decision: str
    sentence: str


class Monitoring(Reference):
    """monitor.json, monitor.html: what became of the scores, by day."""

    judged: int
    """Days whose clicks are known."""
    waiting: int
    """Days whose clicks are not."""
    crossed: int
    """Thresholds crossed on all days together."""
    sentence: str


class Scores(Reference):
    """scores.parquet: row, probability, model_name, model_version and the contract's id.

    partitions.json: which rows are of which source file and day.
    """

    rows: int
    model: str
    """Name and version, such as ctr/3."""
