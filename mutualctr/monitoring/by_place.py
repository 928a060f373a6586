"""Without an id, the place in the file says which row is which, if it is a file of the same rows.

It is where the digest of what the model saw is the same for both files; then even the wrong one
of two rows could not be taken for the other. A file that was scored and its labels may differ in
their names, their day and whatever the model does not see.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.content import ContentDigest
from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.errors import DataError
from mutualctr.monitoring.partitions import Counted, Labelled, Scored, probabilities


class ByPlace:
    """Matches the n-th row with the n-th row of files with the same rows.

    Raises DataError where a day has both scores and labels and no two of its files match.
    """

    def __init__(
        self,
        scored: Sequence[Scored],
        labelled: Sequence[Labelled],
        contract: Contract,
        aside: Path | None,
    ):
        self._labelled, self._contract = labelled, contract
        self._aside_A = (
            np.empty(0, np.int64)
            if aside is None
            else pq.read_table(aside, columns=[ROW_COLUMN])[ROW_COLUMN].to_numpy()
        )
        self._scored_of: dict[Labelled, Scored] = {}
        free = list(scored)
        for label in labelled:
            found = self._find(label, free)
            if found is not None:
                free.remove(found)
                self._scored_of[label] = found
        self._labelled_of = {found: label for label, found in self._scored_of.items()}
        self._refuse_unlike(free)

    def labels(self) -> list[Counted]:
        """Every partition with labels."""
        counted = []
        for label in self._labelled:
            found = self._scored_of.get(label)
            unscored = 0 if found is not None else int(self._kept(label)[1].sum())
            counted.append(Counted(label, found.day if found else label.day, unscored))
        return counted

    def matched(self, scored: Scored) -> tuple[np.ndarray, np.ndarray]:
        """(probability_M, label_M) of the partition's rows that have a label."""
        label = self._labelled_of.get(scored)
        if label is None:
            return np.empty(0), np.empty(0)
        label_R, kept_R = self._kept(label)
        return probabilities(scored)[kept_R], label_R[kept_R]

    def _find(self, label: Labelled, free: list[Scored]) -> Scored | None:
        """The scored file of the same rows; its own day's first."""
        if label.malformed:
            return None
        digest_of: dict[tuple[str, ...], str] = {}
        names = {column.name for column in self._contract.columns}
        for part in sorted(free, key=lambda part: part.day != label.day):
            if part.rows != label.rows or not names.issuperset(part.columns):
                continue
            if part.columns not in digest_of:
                digest_of[part.columns] = _digest(label.events, part.columns)
            if part.content_sha256 == digest_of[part.columns]:
                return part
        return None

    def _kept(self, label: Labelled) -> tuple[np.ndarray, np.ndarray]:
        """label_R, and whether each row has one and was not set aside."""
        table = pq.read_table(label.events, columns=[ROW_COLUMN, self._contract.label])
        label_R = table[self._contract.label]
        kept_R = label_R.is_valid().to_numpy()
        kept_R &= ~np.isin(table[ROW_COLUMN].to_numpy(), self._aside_A)
        return label_R.fill_null(0).cast(pa.float64()).to_numpy(), kept_R

    def _refuse_unlike(self, free: list[Scored]) -> None:
        for label in self._labelled:
            if label in self._scored_of:
                continue
            for part in free:
                if part.day == label.day:
                    raise DataError(
                        f"The labels of {label.day} ({label.file}, {label.rows:,} rows) are not "
                        f"of the rows that were scored ({part.file}, {part.rows:,} rows), and "
                        f"contract {self._contract.name} has no id to match them by; deliver the "
                        "same rows in the same order, or score that day anew."
                    )


def _digest(events: Path, columns: Sequence[str]) -> str:
    digest = ContentDigest(columns)
    with pq.ParquetFile(events) as file:
        for group in range(file.num_row_groups):
            digest.add(file.read_row_group(group, columns=list(columns)))
    return digest.hexdigest()
