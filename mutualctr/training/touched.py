"""The rows of the table that a batch touches, and the sums of their gradients.

B rows of a batch, F fields, K = B·F places, C columns, U distinct rows of a batch.
"""

from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

RUN = 32
"""Places whose gradients are added up one after the other before sums are."""


class Touched:
    """The distinct rows a batch touches, found once and shared by all peers that see the batch."""

    def __init__(self, ids_BF: Tensor) -> None:
        self.ids_BF = ids_BF
        sorted_K, self._order_K, first_K = _sorted(ids_BF)
        self._start_U = first_K.nonzero().flatten()
        self.row_U = sorted_K[self._start_U].long()

    def sum_of_rows(self, gradient_BFC: Tensor) -> Tensor:
        """Each distinct row's gradient [U, C]: the sum over its places, in the batch's order."""
        places_KC = gradient_BFC.reshape(len(self._order_K), -1)
        return F.embedding_bag(self._order_K, places_KC, self._start_U, mode="sum")


class PaddedTouched:
    """`Touched` in shapes that never change: U is K, and row −1 with a zero gradient fills it up.

    Nothing is found before it is asked for: a replayed step never asks.
    """

    def __init__(self, ids_BF: Tensor) -> None:
        self.ids_BF = ids_BF

    @property
    def row_U(self) -> Tensor:
        """Rising, then −1."""
        return self._found[0]

    def sum_of_rows(self, gradient_BFC: Tensor) -> Tensor:
        """As `Touched` has it, but in two rounds: runs of places first, then the runs of a row.

        On a GPU one thread adds up what is summed at once, and the rows of a field that has few
        values are touched thousands of times.
        """
        _, order_K, run_start_K, run_of_row_K = self._found
        places_KC = gradient_BFC.reshape(len(order_K), -1)
        runs_KC = F.embedding_bag(order_K, places_KC, run_start_K, mode="sum")
        run_K = torch.arange(len(order_K), device=order_K.device)
        return F.embedding_bag(run_K, runs_KC, run_of_row_K, mode="sum")

    @cached_property
    def _found(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Rows, the order of their places, where each run starts in it, each row's first run."""
        sorted_K, order_K, first_K = _sorted(self.ids_BF)
        place_K = torch.arange(len(order_K), device=order_K.device)
        row_of_place_K = first_K.cumsum(0) - 1
        run_of_place_K = (first_K | (place_K % RUN == 0)).cumsum(0) - 1
        # Where nothing starts any more, searchsorted says K: an empty rest.
        run_start_K = torch.searchsorted(run_of_place_K, place_K)
        row_start_K = torch.searchsorted(row_of_place_K, place_K)
        # What fills up the rows takes one run each of what fills up the runs, lest one thread add
        # up all of it; there are at least as many such rows as such runs.
        more_runs = run_of_place_K[-1] - row_of_place_K[-1]
        filled_K = (place_K + more_runs).clamp_(max=len(order_K))
        there_K = row_start_K < len(order_K)
        row_start_K.clamp_(max=len(order_K) - 1)
        row_U = torch.where(there_K, sorted_K[row_start_K], -1).long()
        run_of_row_K = torch.where(there_K, run_of_place_K[row_start_K], filled_K)
        return row_U, order_K, run_start_K, run_of_row_K


def _sorted(ids_BF: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The ids in rising order, the place of each, and which of them are the first of their row."""
    sorted_K, order_K = torch.sort(ids_BF.flatten(), stable=True)
    first_K = torch.ones_like(sorted_K, dtype=torch.bool)
    torch.ne(sorted_K[1:], sorted_K[:-1], out=first_K[1:])
    return sorted_K, order_K, first_K
