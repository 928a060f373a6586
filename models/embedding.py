"""One table for all fields.

B rows of a batch, F fields, D embedding dim, E = D (+ 1 with first order), V vocabulary rows.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INITIAL_STD = 1e-4


class Gathered(NamedTuple):
    """What a batch takes from the table: embeddings, and first-order weights where it has them.

    Each lies in lines of its own: everything that follows is several times faster on whole lines.
    """

    emb_BFD: Tensor
    first_BF: Tensor | None


class FieldEmbedding(nn.Module):
    """The embedding v and, where asked for, the first-order weight w of every id of every field.

    Both lie in one `weight` [V, E] with w in the last column: one thing to store, to step and to
    hand over. Ids reach this class already shifted into the one table, each field into its range.

    Every entry starts from N(0, 1e-4²), as in FuxiCTR; the mutual-finetuning paper does not say.
    """

    def __init__(self, num_ids: int, embedding_dim: int, first_order: bool):
        super().__init__()
        self.embedding_dim = embedding_dim
        self.first_order = first_order
        self.weight = nn.Parameter(torch.empty(num_ids, embedding_dim + int(first_order)))
        nn.init.normal_(self.weight, std=INITIAL_STD)

    @property
    def columns(self) -> tuple[int, ...]:
        """How many columns of `weight` the embedding has, and the first order where it is there."""
        return (self.embedding_dim, 1) if self.first_order else (self.embedding_dim,)

    def forward(self, ids_BF: Tensor) -> Gathered:
        """Gather; ids are int32 or int64."""
        return self.part(self.rows(ids_BF))

    def rows(self, ids_BF: Tensor) -> Tensor:
        """rows_BFE of the table."""
        return F.embedding(ids_BF, self.weight)

    def part(self, rows_BFE: Tensor) -> Gathered:
        """The two halves of whole rows."""
        if not self.first_order:
            return Gathered(rows_BFE, None)
        return Gathered(rows_BFE[:, :, :-1].contiguous(), rows_BFE[:, :, -1].contiguous())
