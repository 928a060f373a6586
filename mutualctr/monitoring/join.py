"""Probabilities beside what happened: the rows of a scoring and those of the labels, exactly.

Where the contract has an id, the id says which row is which (`by_id.py`), else the place in the
file does (`by_place.py`). Nothing is guessed: what cannot be matched for certain is refused.

A matched row counts on the day it was scored for, whenever its label came.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import numpy as np

from mutualctr.data.contract import Contract
from mutualctr.monitoring.by_id import ById
from mutualctr.monitoring.by_place import ByPlace
from mutualctr.monitoring.partitions import Counted, Labelled, Scored, probabilities


@dataclass(frozen=True, eq=False)
class Joined:
    """A day as one version scored it.

    Shapes: probability_B float64 of all rows scored; probability_M and label_M, 0 or 1, of the
    rows whose label is here.
    """

    day: date
    model: str | None
    """None: a day of which there are labels and no scores."""
    probability_B: np.ndarray
    probability_M: np.ndarray
    label_M: np.ndarray
    labelled_only: int
    """Rows of that day's labels that nobody scored."""
    labelled: tuple[Path, ...]
    """Events of that day's labels."""


class Matching(Protocol):
    """A way to know which row is which."""

    def labels(self) -> list[Counted]:
        """Every partition with labels."""

    def matched(self, scored: Scored) -> tuple[np.ndarray, np.ndarray]:
        """(probability_M, label_M) of the partition's rows that have a label."""


def join(
    scored: Sequence[Scored],
    labelled: Sequence[Labelled],
    contract: Contract,
    aside: Path | None,
) -> Iterator[Joined]:
    """Each day and version in the order of the days, one in memory at a time.

    aside: a Parquet file of rows that were set aside; they count as not labelled.
    Raises DataError where it cannot be said which row is which.
    """
    kind = ByPlace if contract.row_id is None else ById
    matching: Matching = kind(scored, labelled, contract, aside)
    labels = matching.labels()
    for day in sorted({part.day for part in scored} | {label.day for label in labels}):
        of_day = [label for label in labels if label.day == day]
        unscored = sum(label.unscored for label in of_day)
        files = tuple(label.partition.events for label in of_day)
        models = sorted({part.model for part in scored if part.day == day})
        for model in models or [None]:
            parts = [part for part in scored if (part.day, part.model) == (day, model)]
            matched = [matching.matched(part) for part in parts]
            yield Joined(
                day=day,
                model=model,
                probability_B=_joined([probabilities(part) for part in parts]),
                probability_M=_joined([probability_M for probability_M, _ in matched]),
                label_M=_joined([label_M for _, label_M in matched]),
                labelled_only=unscored,
                labelled=files,
            )
            unscored = 0  # counted once, however many versions scored the day


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *arrays])
