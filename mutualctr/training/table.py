"""Adam over the embedding table, whose gradient lives in the few rows that a batch touches.

    g = dL/dw + λ·w,   w ← Adam(w, g)

FullTable     l2_scope full, on a CPU: every row steps with its λ·w in every step. Rows of late
              batches lie close together in a small buffer and step there at once; all others owe
              their steps, and pay up to WINDOW of them in one pass while they lie in the cache.
              Owed steps are the same arithmetic in the same order: the same bits.
DenseTable    l2_scope full, elsewhere: a gradient buffer that is zero except in the touched rows,
              one fused step over the whole table. Shapes never change, so it can be captured.
TouchedTable  l2_scope touched: only the batch's rows step, with their own moments (the meaning of
              torch.optim.SparseAdam, FBGEMM and TorchRec, plus λ·w on those rows).

V vocabulary rows, E columns, B rows of a batch, F fields, U distinct rows of a batch.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
WINDOW = 16
"""Steps that a row may owe."""
LANES = 16
"""Lines of this many rows are whole vectors: torch's kernel rounds the rest of a line otherwise."""
CHUNK = 1 << 20
"""Numbers that step together while they lie in the cache: 16 MB with moments and gradient."""


class Touched:
    """The distinct rows a batch touches, found once and shared by all peers that see the batch."""

    def __init__(self, ids_BF: Tensor) -> None:
        self.ids_BF = ids_BF
        sorted_K, self._order_K = torch.sort(ids_BF.flatten(), stable=True)
        first_K = torch.ones_like(sorted_K, dtype=torch.bool)
        torch.ne(sorted_K[1:], sorted_K[:-1], out=first_K[1:])
        self._start_U = first_K.nonzero().flatten()
        self.row_U = sorted_K[self._start_U].long()

    def sum_of_rows(self, gradient_BFE: Tensor) -> Tensor:
        """Each distinct row's gradient [U, E]: the sum over its places, in the batch's order."""
        places_KE = gradient_BFE.flatten(0, 1)
        return F.embedding_bag(self._order_K, places_KE, self._start_U, mode="sum")


class Places:
    """`Touched` without looking: a row for every place of the batch, so shapes never change."""

    def __init__(self, ids_BF: Tensor) -> None:
        self.ids_BF = ids_BF

    @cached_property
    def row_U(self) -> Tensor:
        """Found when it is first asked for: a replayed step never asks."""
        return self.ids_BF.flatten().long()

    def sum_of_rows(self, gradient_BFE: Tensor) -> Tensor:
        """The places' own gradients; the table adds up what falls on one row."""
        return gradient_BFE.flatten(0, 1)


class FullTable:
    """Every row steps in every step; `settle` before anyone but `gather` reads the table."""

    def __init__(self, table_VE: Tensor, l2: float) -> None:
        self.table_VE, self._l2 = table_VE.detach(), l2
        self.first_VE, self.second_VE = torch.zeros_like(table_VE), torch.zeros_like(table_VE)
        self.steps = 0
        self._owed: list[float] = []
        """Learning rates of the steps that the cold rows still owe."""
        self._row_H = torch.empty(0, dtype=torch.int64)
        """The table's row in each of the hot buffer's places; H is a whole number of lines."""
        self._place_V = torch.full((len(table_VE),), -1, dtype=torch.int32)
        self._hot: tuple[Tensor, ...] = ()
        """Weight, gradient and both moments [capacity, E] of the rows touched lately."""
        self._hot_rows = 0

    def gather(self, touched: Touched) -> Tensor:
        """rows_BFE of the batch, up to date."""
        if len(self._owed) == WINDOW or 4 * self._hot_rows > len(self.table_VE):
            self.settle()
        self._warm(touched.row_U)
        place_BF = self._place_V.index_select(0, touched.ids_BF.flatten()).view_as(touched.ids_BF)
        return F.embedding(place_BF, self._hot[0])

    def step(self, lr: float, row_U: Tensor, gradient_UE: Tensor) -> None:
        """One step of every row; `row_U` must have been gathered since the last one."""
        place_U = self._place_V.index_select(0, row_U)
        self._hot[1].index_copy_(0, place_U.long(), gradient_UE)
        self.steps += 1
        self._owed.append(lr)
        adam([part[: self._hot_rows] for part in self._hot], lr, self.steps, self._l2)
        self._hot[1].index_fill_(0, place_U.long(), 0.0)

    def settle(self) -> None:
        """Let every row pay what it owes, and put the hot ones back."""
        if not self._owed:
            return
        parts = [part.view(-1) for part in (self.table_VE, self.first_VE, self.second_VE)]
        whole = len(parts[0]) // LANES * LANES
        zeros = torch.zeros(min(CHUNK, max(whole, LANES)), dtype=self.table_VE.dtype)
        for start in range(0, whole, CHUNK):
            weight, first, second = (part[start : min(start + CHUNK, whole)] for part in parts)
            self._pay([weight, zeros[: len(weight)], first, second])
        rest = [F.pad(part[whole:], (0, LANES - len(part) + whole)) for part in parts]
        self._pay([rest[0], zeros[:LANES], *rest[1:]])
        for part, padded in zip(parts, rest, strict=True):
            part[whole:] = padded[: len(part) - whole]
        real_H = self._row_H >= 0
        row_H = self._row_H[real_H]
        for part_VE, hot in zip(
            (self.table_VE, self.first_VE, self.second_VE), self._moving(), strict=True
        ):
            part_VE.index_copy_(0, row_H, hot[: self._hot_rows][real_H])
        self._place_V.index_fill_(0, row_H, -1)
        self._row_H = self._row_H[:0]
        self._hot_rows = 0
        self._owed = []

    def _warm(self, row_U: Tensor) -> None:
        """Bring the batch's cold rows into the hot buffer; they owe all the window's steps."""
        row_W = row_U[self._place_V.index_select(0, row_U) < 0]
        if not len(row_W):
            return
        lines = -(-len(row_W) // LANES) * LANES
        here = slice(self._hot_rows, self._hot_rows + lines)
        self._grow(here.stop)
        places = torch.arange(here.start, here.start + len(row_W), dtype=torch.int32)
        self._place_V.index_copy_(0, row_W, places)
        self._row_H = torch.cat([self._row_H, F.pad(row_W, (0, lines - len(row_W)), value=-1)])
        for hot, part_VE in zip(
            self._moving(), (self.table_VE, self.first_VE, self.second_VE), strict=True
        ):
            torch.index_select(part_VE, 0, row_W, out=hot[here.start : here.start + len(row_W)])
            hot[here.start + len(row_W) : here.stop] = 0.0
        self._hot_rows = here.stop
        self._pay([part[here] for part in self._hot])

    def _pay(self, parts: Sequence[Tensor]) -> None:
        for owed, lr in enumerate(self._owed):
            adam(parts, lr, self.steps - len(self._owed) + 1 + owed, self._l2)

    def _moving(self) -> tuple[Tensor, ...]:
        weight, _, first, second = self._hot
        return weight, first, second

    def _grow(self, rows: int) -> None:
        """Room for `rows`; the gradient is zero wherever no batch wrote it."""
        if self._hot and len(self._hot[0]) >= rows:
            return
        larger = tuple(
            self.table_VE.new_zeros(rows * 3 // 2, self.table_VE.shape[1]) for _ in "wgms"
        )
        for new, old in zip(larger, self._hot, strict=False):
            new[: self._hot_rows] = old[: self._hot_rows]
        self._hot = larger


class DenseTable:
    """Every row steps in every step, at once; a row may come several times in `row_U`."""

    def __init__(self, table_VE: Tensor, l2: float) -> None:
        self.table_VE, self._l2 = table_VE.detach(), l2
        self.first_VE, self.second_VE = torch.zeros_like(table_VE), torch.zeros_like(table_VE)
        self._gradient_VE = torch.zeros_like(table_VE)
        self._steps = torch.zeros((), device=table_VE.device)

    @property
    def steps(self) -> int:
        """Steps taken; asking waits for the device."""
        return int(self._steps)

    @steps.setter
    def steps(self, taken: int) -> None:
        self._steps.fill_(taken)

    def gather(self, touched: Touched | Places) -> Tensor:
        """rows_BFE of the batch."""
        return F.embedding(touched.ids_BF, self.table_VE)

    def step(self, lr: float | Tensor, row_U: Tensor, gradient_UE: Tensor) -> None:
        """One step of every row."""
        self._gradient_VE.index_add_(0, row_U, gradient_UE)
        self._steps += 1
        parts = (self.table_VE, self._gradient_VE, self.first_VE, self.second_VE)
        adam(parts, lr, self._steps, self._l2)
        self._gradient_VE.index_fill_(0, row_U, 0.0)

    def settle(self) -> None:
        """Nothing is ever owed."""


class TouchedTable:
    """Only the batch's rows step."""

    def __init__(self, table_VE: Tensor, l2: float) -> None:
        self.table_VE, self._l2 = table_VE.detach(), l2
        self.first_VE, self.second_VE = torch.zeros_like(table_VE), torch.zeros_like(table_VE)
        self.steps = 0

    def gather(self, touched: Touched) -> Tensor:
        """rows_BFE of the batch."""
        return F.embedding(touched.ids_BF, self.table_VE)

    def step(self, lr: float, row_U: Tensor, gradient_UE: Tensor) -> None:
        """One step of the rows in `row_U`."""
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


def adam(parts: Sequence[Tensor], lr: float | Tensor, step: int | Tensor, l2: float) -> None:
    """One step, in place, over (weight, gradient, first moment, second moment); steps from 1."""
    adam_of_many([[part] for part in parts], lr, step, l2)


def adam_of_many(
    parts: Sequence[Sequence[Tensor]], lr: float | Tensor, step: int | Tensor, l2: float
) -> None:
    """`adam` over several weights at once: each of the four parts is a list of tensors."""
    weights, gradients, firsts, seconds = parts
    if not isinstance(step, Tensor):
        step = torch.tensor(float(step), device=weights[0].device)
    torch._fused_adam_(
        weights,
        gradients,
        firsts,
        seconds,
        [],
        [step] * len(weights),
        lr=lr,
        beta1=BETAS[0],
        beta2=BETAS[1],
        weight_decay=l2,
        eps=EPSILON,
        amsgrad=False,
        maximize=False,
    )
