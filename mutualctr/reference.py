"""What steps hand to each other: small records that point at a folder, never tables.

The folder holds files only this record's writer knows how to lay out; the digest says whether two
folders hold the same. A record's fields beside these are for people who browse.
"""

from pathlib import Path
from typing import Any, Self

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
    """files/: the source, typed, in its order (`mutualctr/data/event_files.py`)."""

    source: str
    source_sha256: str
    rows: int

    @property
    def files(self) -> Path:
        return self.folder / "files"


class Validation(Reference):
    """validation.json and validation.html: what the contract says of the events."""

    expectations: int
    warnings: int


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
    """study.json, study.html, study.md."""

    findings: tuple[str, ...]


class Tuning(Reference):
    """tuned.yaml (a complete run configuration) and trials.csv."""

    found: str
