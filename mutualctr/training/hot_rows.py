"""The rows of a table that batches touched lately, close together in buffers of their own.

A buffer per group of columns, so that what a model reads lies in lines of its own, and in each the
weight, its gradient and both moments. Rows come in whole lines of LANES; the last of a line may
stand for no row.

V vocabulary rows, E columns, C columns of a group, B rows of a batch, F fields, U distinct rows of
a batch, W of them that were cold, H places.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from models.embedding import Gathered
from mutualctr.training.adam import LANES, adam_of_many
from mutualctr.training.table import whole_rows

WEIGHT, GRADIENT, FIRST, SECOND = range(4)
MOVING = (WEIGHT, FIRST, SECOND)
"""What a row has in the table too."""


class HotRows:
    """Every gradient is zero but within `gradient`."""

    def __init__(self, table_VE: Tensor, columns: Sequence[int]) -> None:
        self.places = 0
        """How many are taken; a whole number of lines."""
        self._columns = list(columns)
        self._groups = [tuple(table_VE.new_empty(0, c) for _ in range(4)) for c in columns]
        self._row_H = torch.empty(0, dtype=torch.int64)
        """The table's row in each place, −1 where there is none."""
        self._place_V = torch.full((len(table_VE),), -1, dtype=torch.int32)

    def warm(self, row_U: Tensor, parts: Sequence[Tensor]) -> slice:
        """Bring in those rows of weight and moments that are cold; returns where they stand now."""
        row_W = row_U[self._place_V.index_select(0, row_U) < 0]
        missing = -len(row_W) % LANES
        begin, end = self.places, self.places + len(row_W)
        self._grow(end + missing)
        self._place_V.index_copy_(0, row_W, torch.arange(begin, end, dtype=torch.int32))
        self._row_H = torch.cat([self._row_H, F.pad(row_W, (0, missing), value=-1)])
        for kind, part_VE in zip(MOVING, parts, strict=True):
            halves = part_VE.index_select(0, row_W).split(self._columns, dim=1)
            for group, half in zip(self._groups, halves, strict=True):
                group[kind][begin:end] = half
                group[kind][end : end + missing] = 0.0
        self.places = end + missing
        return slice(begin, self.places)

    def gather(self, ids_BF: Tensor) -> Gathered:
        """Rows that are all hot."""
        place_BF = self._place_V.index_select(0, ids_BF.flatten()).view_as(ids_BF)
        emb_BFD, *first = (F.embedding(place_BF, group[WEIGHT]) for group in self._groups)
        return Gathered(emb_BFD, first[0].squeeze(2) if first else None)

    @contextmanager
    def gradient(self, row_U: Tensor, gradients: Sequence[Tensor]) -> Iterator[None]:
        """Inside, these rows have these gradients, [U, C] of each group of columns."""
        place_U = self._place_V.index_select(0, row_U).long()
        for group, gradient_UC in zip(self._groups, gradients, strict=True):
            group[GRADIENT].index_copy_(0, place_U, gradient_UC)
        yield
        for group in self._groups:
            group[GRADIENT].index_fill_(0, place_U, 0.0)

    def step(self, here: slice, lr: float, number: int, l2: float) -> None:
        """One step of the places in `here`, whole lines."""
        parts = [[group[kind][here] for group in self._groups] for kind in range(4)]
        adam_of_many(parts, lr, number, l2)

    def put_back(self, parts: Sequence[Tensor]) -> None:
        """Write all rows into weight and moments; none is hot then."""
        place_H = (self._row_H >= 0).nonzero().flatten()
        row_H = self._row_H[place_H]
        for kind, part_VE in zip(MOVING, parts, strict=True):
            halves = [group[kind].index_select(0, place_H) for group in self._groups]
            part_VE.index_copy_(0, row_H, whole_rows(halves))
        self._place_V.index_fill_(0, row_H, -1)
        self._row_H = self._row_H[:0]
        self.places = 0

    def _grow(self, places: int) -> None:
        """Room for so many; a gradient is zero wherever no batch wrote it."""
        if len(self._groups[0][WEIGHT]) >= places:
            return
        for n, group in enumerate(self._groups):
            larger = tuple(old.new_zeros(places * 3 // 2, old.shape[1]) for old in group)
            for new, old in zip(larger, group, strict=True):
                new[: self.places] = old[: self.places]
            self._groups[n] = larger
