"""The rows of the table that a batch touches, and the sums of their gradients.

B rows of a batch, F fields, K = B·F places, C columns, U distinct rows of a batch.
"""

from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Touched:
    """The distinct rows a batch touches, found once and shared by all peers that see the batch."""

    def __init__(self, ids_BF: Tensor) -> None:
        self.ids_BF = ids_BF
        sort = sorted_by_numpy if ids_BF.device.type == "cpu" else _sorted_by_torch
        sorted_K, self._order_K = sort(ids_BF.flatten())
        first_K = torch.ones_like(sorted_K, dtype=torch.bool)
        torch.ne(sorted_K[1:], sorted_K[:-1], out=first_K[1:])
        self._start_U = first_K.nonzero().flatten()
        self.row_U = sorted_K[self._start_U]

    def sum_of_rows(self, gradient_BFC: Tensor) -> Tensor:
        """Each distinct row's gradient [U, C]: the sum over its places, in the batch's order."""
        places_KC = gradient_BFC.reshape(len(self._order_K), -1)
        return F.embedding_bag(self._order_K, places_KC, self._start_U, mode="sum")


class Places:
    """`Touched` without looking: a row for every place of the batch, so shapes never change."""

    def __init__(self, ids_BF: Tensor) -> None:
        self.ids_BF = ids_BF

    @cached_property
    def row_U(self) -> Tensor:
        """Found when it is first asked for: a replayed step never asks."""
        return self.ids_BF.flatten().long()

    def sum_of_rows(self, gradient_BFC: Tensor) -> Tensor:
        """The places' own gradients; the table adds up what falls on one row."""
        return gradient_BFC.reshape(self.ids_BF.numel(), -1)


def _sorted_by_torch(ids_K: Tensor) -> tuple[Tensor, Tensor]:
    sorted_K, order_K = torch.sort(ids_K, stable=True)
    return sorted_K.long(), order_K


def sorted_by_numpy(ids_K: Tensor) -> tuple[Tensor, Tensor]:
    """Integers in rising order, and the place of each, equal ones in the order of their places.

    A stable torch.sort on a CPU, a third faster: what numpy sorts, with the processor's vector
    instructions, are numbers in which the place stands behind the id, so that no order has to be
    carried along. Ids have 31 bits at most, besides the sign.
    """
    bits = len(ids_K).bit_length()
    both_K = ids_K.numpy().astype(np.int64)
    both_K <<= bits
    both_K |= np.arange(len(both_K))
    both_K.sort()
    return torch.from_numpy(both_K >> bits), torch.from_numpy(both_K & ((1 << bits) - 1))
