"""l2_scope full on a CPU: every row of the table steps in every step, without touching every row.

Rows of late batches lie close together in small buffers and step there at once; all others owe
their steps, and pay up to WINDOW of them in one pass while they lie in the cache. Owed steps are
the same arithmetic in the same order: the same bits.

V vocabulary rows, E columns, C columns of a group, B rows of a batch, F fields, U distinct rows of
a batch, H hot rows.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.embedding import FieldEmbedding, Gathered
from mutualctr.training.adam import LANES, adam
from mutualctr.training.hot_rows import HotRows
from mutualctr.training.touched import Touched

WINDOW = 16
"""Steps that a row may owe."""
CHUNK = 1 << 20
"""Numbers that step together while they lie in the cache: 16 MB with moments and gradient."""


class FullTable:
    """Every row steps in every step; `settle` before anyone but `gather` reads the table."""

    def __init__(self, embedding: FieldEmbedding, l2: float) -> None:
        self.table_VE, self._l2 = embedding.weight.detach(), l2
        self.first_VE, self.second_VE = (torch.zeros_like(self.table_VE) for _ in range(2))
        self.steps = 0
        self._owed: list[float] = []
        """Learning rates of the steps that the cold rows still owe."""
        self._hot = HotRows(self.table_VE, embedding.columns)

    def gather(self, touched: Touched) -> Gathered:
        """The batch's rows, up to date."""
        if len(self._owed) == WINDOW or 4 * self._hot.places > len(self.table_VE):
            self.settle()
        here = self._hot.warm(touched.row_U, self._moving())
        if here.stop > here.start:
            for number, lr in self._steps_owed():
                self._hot.step(here, lr, number, self._l2)
        return self._hot.gather(touched.ids_BF)

    def step(self, lr: float, row_U: Tensor, gradients: Sequence[Tensor]) -> None:
        """One step of every row; the gradients are [U, C] of each group of columns.

        `row_U` must have been gathered since the last one.
        """
        self.steps += 1
        self._owed.append(lr)
        with self._hot.gradient(row_U, gradients):
            self._hot.step(slice(self._hot.places), lr, self.steps, self._l2)

    def settle(self) -> None:
        """Let every row pay what it owes, and put the hot ones back."""
        if not self._owed:
            return
        zeros_VE = self.table_VE.new_zeros(self._piece, self.table_VE.shape[1])
        for start in range(0, len(self.table_VE), self._piece):
            here = slice(start, start + self._piece)
            self._pay([part_VE[here] for part_VE in self._moving()], zeros_VE)
        self._hot.put_back(self._moving())
        self._owed = []

    @property
    def _piece(self) -> int:
        """Rows that pay together: whole lines."""
        return max(CHUNK // self.table_VE.shape[1] // LANES, 1) * LANES

    def _pay(self, parts: Sequence[Tensor], zeros_VE: Tensor) -> None:
        """Weight and moments of neighbouring rows take the steps that they owe."""
        lines = len(parts[0]) // LANES * LANES
        whole, rest = (
            [part[here] for part in parts] for here in (slice(lines), slice(lines, None))
        )
        if lines:
            self._take(whole, zeros_VE[:lines])
        if len(rest[0]):
            padded = [F.pad(part, (0, 0, 0, LANES - len(part))) for part in rest]
            self._take(padded, zeros_VE[:LANES])
            for part, line in zip(rest, padded, strict=True):
                part.copy_(line[: len(part)])

    def _take(self, parts: Sequence[Tensor], gradient: Tensor) -> None:
        weight, first, second = parts
        for number, lr in self._steps_owed():
            adam((weight, gradient, first, second), lr, number, self._l2)

    def _steps_owed(self) -> Iterator[tuple[int, float]]:
        """Number and learning rate of each."""
        return enumerate(self._owed, start=self.steps - len(self._owed) + 1)

    def _moving(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.table_VE, self.first_VE, self.second_VE
