"""DeepFM: a factorization machine and an MLP on the same embeddings.

    logit = b + Σ_i w_i + Σ_{i<j} ⟨v_i, v_j⟩ + MLP(z),   z = [v_1, …, v_F]

Source: Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction"
(arXiv 1703.04247), eq. 1-4; FuxiCTR model_zoo/DeepFM.
Deviation: FuxiCTR's two additive constants are one (models/base.py).

B rows, F fields, D embedding dim, E = D + 1.
"""

from collections.abc import Sequence

from torch import Tensor

from models.base import ClickModel
from models.mlp import MLP, linear


class DeepFM(ClickModel):
    """First order + second order + deep part; it has no options of its own."""

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: Sequence[int],
        dropout: float,
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=True)
        self.mlp = MLP(num_fields * embedding_dim, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows_BFE: Tensor) -> Tensor:
        emb_BFD, first_B = self.embedding.split(rows_BFE)
        deep_B = self.head(self.mlp(emb_BFD.flatten(1))).squeeze(1)
        return self.bias + first_B + second_order(emb_BFD) + deep_B


def second_order(emb_BFD: Tensor) -> Tensor:
    """Σ_{i<j} ⟨v_i, v_j⟩ per row [B], in O(F·D) as ½ Σ_d [(Σ_i v_id)² − Σ_i v_id²]."""
    square_of_sum_BD = emb_BFD.sum(dim=1).square()
    sum_of_square_BD = emb_BFD.square().sum(dim=1)
    return 0.5 * (square_of_sum_BD - sum_of_square_BD).sum(dim=1)
