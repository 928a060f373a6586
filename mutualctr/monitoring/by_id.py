"""The contract's id says which row is which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.event_sql import select_files, view_of
from mutualctr.data.rules import sql_text
from mutualctr.errors import DataError
from mutualctr.monitoring.partitions import Counted, Labelled, Scored


class ById:
    """Matches rows of equal id. A row without an id matches none.

    Raises DataError where an id occurs twice on either side, or the scores have none.
    """

    def __init__(
        self,
        scored: Sequence[Scored],
        labelled: Sequence[Labelled],
        contract: Contract,
        aside: Path | None,
    ):
        assert contract.row_id is not None
        assert scored
        assert labelled
        self._labelled, self._aside = labelled, aside
        self._name, self._label = contract.row_id, f"events.{_quoted(contract.label)}"
        self._id = f"CAST(events.{_quoted(contract.row_id)} AS VARCHAR)"
        self._scored = " UNION ALL ".join(f"({self._select(part)})" for part in scored)
        self._events = select_files([part.events for part in labelled], aside)
        for part in scored:
            self._refuse_without_id(part)
        self._refuse_twice("labels", f"SELECT {self._id} AS id FROM events")
        self._refuse_twice("scores", f"SELECT id FROM ({self._scored})")

    def labels(self) -> list[Counted]:
        """Every partition with labels."""
        known = f"SELECT id FROM ({self._scored}) WHERE id IS NOT NULL"
        counted = []
        for part in self._labelled:
            with view_of(select_files([part.events], self._aside)) as connection:
                rows, found = connection.execute(
                    f"SELECT count({self._label}), "
                    f"count({self._label}) FILTER ({self._id} IN ({known})) FROM events"
                ).fetchone()
            counted.append(Counted(part, part.day, rows - found))
        return counted

    def matched(self, scored: Scored) -> tuple[np.ndarray, np.ndarray]:
        """(probability_M, label_M) of the partition's rows that have a label, in its order."""
        with view_of(self._events) as connection:
            found = connection.execute(
                f"SELECT scored.probability, {self._label} AS label "
                f"FROM ({self._select(scored)}) AS scored JOIN events ON scored.id = {self._id} "
                f"WHERE {self._label} IS NOT NULL ORDER BY scored.place"
            ).fetchnumpy()
        return found["probability"], found["label"].astype(np.float64)

    def _select(self, part: Scored) -> str:
        rows = f"BETWEEN {part.first_row} AND {part.first_row + part.rows - 1}"
        return (
            f"SELECT {_quoted(self._name)} AS id, probability, {_quoted(ROW_COLUMN)} AS place "
            f"FROM read_parquet({sql_text(str(part.scores))}) WHERE {_quoted(ROW_COLUMN)} {rows}"
        )

    def _refuse_without_id(self, part: Scored) -> None:
        if self._name not in pq.read_schema(part.scores).names:
            raise DataError(
                f"The scores of {part.day} ({part.file}) do not have the id {self._name}: they "
                "were written under a contract without it; score that day anew."
            )

    def _refuse_twice(self, what: str, ids: str) -> None:
        with view_of(self._events) as connection:
            twice = connection.execute(
                f"SELECT id FROM ({ids}) WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1 "
                "ORDER BY id LIMIT 1"
            ).fetchone()
        if twice is not None:
            raise DataError(
                f"The {what} hold the {self._name} {twice[0]} more than once, so nobody knows "
                "which click belongs to which probability; give every row an id of its own."
            )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
