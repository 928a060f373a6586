"""One table for all fields.

B rows of a batch, F fields, D embedding dim, E = D (+ 1 with first order), V vocabulary rows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INITIAL_STD = 1e-4


class FieldEmbedding(nn.Module):
    """The embedding v and, where asked for, the first-order weight w of every id of every field.

    Both lie in one `weight` [V, E] with w in the last column, so a batch costs one gather. Ids
    reach this class already shifted into the one table, each field into its own range.

    Every entry starts from N(0, 1e-4²), as in FuxiCTR; the mutual-finetuning paper does not say.
    """

    def __init__(self, num_ids: int, embedding_dim: int, first_order: bool):
        super().__init__()
        self.embedding_dim = embedding_dim
        self.first_order = first_order
        self.weight = nn.Parameter(torch.empty(num_ids, embedding_dim + int(first_order)))
        nn.init.normal_(self.weight, std=INITIAL_STD)

    def forward(self, ids_BF: Tensor) -> Tensor:
        """Gather rows_BFE; ids are int32 or int64."""
        return F.embedding(ids_BF, self.weight)

    def split(self, rows_BFE: Tensor) -> tuple[Tensor, Tensor | None]:
        """Part gathered rows into emb_BFD and first_B = Σ_f w_f, or None without first order."""
        if not self.first_order:
            return rows_BFE, None
        # One split and not two slices: its backward is one concatenation, without zero-filling.
        # Contiguous, because everything that follows is several times faster on whole lines.
        emb_BFD, first_BF1 = rows_BFE.split([self.embedding_dim, 1], dim=2)
        return emb_BFD.contiguous(), first_BF1.sum(dim=(1, 2))
