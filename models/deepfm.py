"""DeepFM: a factorization machine and an MLP on the same embeddings.

    logit = b + Σ_i w_i + Σ_{i<j} ⟨v_i, v_j⟩ + MLP(z),   z = [v_1, …, v_F]

Source: Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction"
(arXiv 1703.04247), eq. 1-4; FuxiCTR model_zoo/DeepFM.
Deviation: FuxiCTR's two additive constants are one (models/base.py).

B rows, F fields, D embedding dim, E = D + 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    """Σ_{i<j} ⟨v_i, v_j⟩ per row [B], in O(F·D) as ½ (‖Σ_i v_i‖² − Σ_i ‖v_i‖²)."""
    return _SecondOrder.apply(emb_BFD)


class _SecondOrder(torch.autograd.Function):
    """d/dv_i = Σ_j v_j − v_i, written once; autograd would pass over [B, F, D] four times more."""

    @staticmethod
    def forward(ctx, emb_BFD: Tensor) -> Tensor:
        sum_BD = emb_BFD.sum(dim=1)
        ctx.save_for_backward(emb_BFD, sum_BD)
        squares_B = torch.linalg.vector_norm(emb_BFD.flatten(1), dim=1).square()
        return 0.5 * (sum_BD.square().sum(dim=1) - squares_B)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_B: Tensor) -> Tensor:
        emb_BFD, sum_BD = ctx.saved_tensors
        grad_BF_D = emb_BFD.flatten(1) * -grad_B[:, None]
        return grad_BF_D.view_as(emb_BFD).add_((sum_BD * grad_B[:, None])[:, None])
