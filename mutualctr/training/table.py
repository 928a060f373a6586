"""The embedding table under Adam, whose gradient lives in the few rows that a batch touches.

    g = dL/dw + λ·w,   w ← Adam(w, g)

FullTable     l2_scope full, on a CPU: full_table.py.
DenseTable    l2_scope full, elsewhere: a gradient buffer that is zero except in the touched rows,
              one fused step over the whole table. Shapes never change, so it can be captured.
TouchedTable  l2_scope touched: only the batch's rows step, with their own moments (the meaning of
              torch.optim.SparseAdam, FBGEMM and TorchRec, plus λ·w on those rows).

Each gives the columns of a row in groups, and takes their gradients so (models/embedding.py says
which): what a model reads then lies in lines of its own.

V vocabulary rows, E columns, C columns of a group, B rows of a batch, F fields, U distinct rows of
a batch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from models.embedding import FieldEmbedding, Gathered
from mutualctr.training.adam import adam
from mutualctr.training.touched import PaddedTouched, Touched

SPARE_ROWS = 1024
"""Where gradients of no row are written: on a GPU, writes to one place wait for each other."""


class DenseTable:
    """Every row steps in every step, at once; row −1 stands for none."""

    def __init__(self, embedding: FieldEmbedding, l2: float) -> None:
        self.table_VE, self._part, self._l2 = embedding.weight.detach(), embedding.part, l2
        self.first_VE, self.second_VE = (torch.zeros_like(self.table_VE) for _ in range(2))
        rows, columns = self.table_VE.shape
        self._gradient = self.table_VE.new_zeros(rows + SPARE_ROWS, columns)
        self._steps = torch.zeros((), device=self.table_VE.device)

    @property
    def steps(self) -> int:
        """Steps taken; asking waits for the device."""
        return int(self._steps)

    @steps.setter
    def steps(self, taken: int) -> None:
        self._steps.fill_(taken)

    def gather(self, touched: Touched | PaddedTouched) -> Gathered:
        """The batch's rows."""
        return self._part(F.embedding(touched.ids_BF, self.table_VE))

    def step(self, lr: float | Tensor, row_U: Tensor, gradients: Sequence[Tensor]) -> None:
        """One step of every row; the gradients are [U, C] of each group of columns."""
        rows = len(self.table_VE)
        spare_U = rows + torch.arange(len(row_U), device=row_U.device) % SPARE_ROWS
        row_U = torch.where(row_U < 0, spare_U, row_U)
        with _each_row_once():
            self._gradient.index_copy_(0, row_U, whole_rows(gradients))
        self._steps += 1
        parts = (self.table_VE, self._gradient[:rows], self.first_VE, self.second_VE)
        adam(parts, lr, self._steps, self._l2)
        self._gradient.index_fill_(0, row_U, 0.0)

    def settle(self) -> None:
        """Nothing is ever owed."""


@contextmanager
def _each_row_once() -> Iterator[None]:
    """No row is written twice with different values, so no order of writing has to be kept: on a
    GPU torch would sort the rows again to keep it."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


class TouchedTable:
    """Only the batch's rows step."""

    def __init__(self, embedding: FieldEmbedding, l2: float) -> None:
        self.table_VE, self._part, self._l2 = embedding.weight.detach(), embedding.part, l2
        self.first_VE, self.second_VE = (torch.zeros_like(self.table_VE) for _ in range(2))
        self.steps = 0

    def gather(self, touched: Touched) -> Gathered:
        """The batch's rows."""
        return self._part(F.embedding(touched.ids_BF, self.table_VE))

    def step(self, lr: float, row_U: Tensor, gradients: Sequence[Tensor]) -> None:
        """One step of the rows in `row_U`; the gradients are [U, C] of each group of columns."""
        gradient_UE = whole_rows(gradients)
        table_UE, first_UE, second_UE = (
            part_VE.index_select(0, row_U)
            for part_VE in (self.table_VE, self.first_VE, self.second_VE)
        )
        self.steps += 1
        adam((table_UE, gradient_UE, first_UE, second_UE), lr, self.steps, self._l2)
        self.table_VE.index_copy_(0, row_U, table_UE)
        self.first_VE.index_copy_(0, row_U, first_UE)
        self.second_VE.index_copy_(0, row_U, second_UE)

    def settle(self) -> None:
        """Nothing is ever owed."""


def whole_rows(groups: Sequence[Tensor]) -> Tensor:
    """Whole rows of their groups of columns."""
    return groups[0] if len(groups) == 1 else torch.cat(list(groups), dim=1)
