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
from models.precision import product_dtype


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
        z_BX, wide_B = _ZAndWide.apply(rows_BFE)
        return self.bias + wide_B + self.head(self.mlp(z_BX)).squeeze(1)


class _ZAndWide(torch.autograd.Function):
    """rows_BFE → z [B, F·D] in `product_dtype`, and Σ_i w_i + Σ_{i<j} ⟨v_i, v_j⟩ per row [B].

    The second order is ½ (‖Σ_i v_i‖² − Σ_i ‖v_i‖²), in O(F·D); its derivative is Σ_j v_j − v_i.
    One function, because the gradient of the rows is then written once: with autograd's own steps
    it is added up and copied in as many passes over memory as the layers above take time.
    """

    @staticmethod
    def forward(ctx, rows_BFE: Tensor) -> tuple[Tensor, Tensor]:
        emb_BFD = rows_BFE[:, :, :-1].contiguous()
        z_BX, sum_BD = emb_BFD.flatten(1), emb_BFD.sum(dim=1)
        ctx.save_for_backward(emb_BFD, sum_BD)
        squares_B = torch.linalg.vector_norm(z_BX, dim=1).square()
        pairs_B = 0.5 * (sum_BD.square().sum(dim=1) - squares_B)
        return z_BX.to(product_dtype(rows_BFE)), rows_BFE[:, :, -1].sum(dim=1) + pairs_B

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_z_BX: Tensor, grad_wide_B: Tensor) -> Tensor:
        emb_BFD, sum_BD = ctx.saved_tensors
        batch, fields, dim = emb_BFD.shape
        grad_B1 = grad_wide_B[:, None]
        own_BX = torch.addcmul(grad_z_BX.to(emb_BFD.dtype), emb_BFD.flatten(1), grad_B1, value=-1)
        grad_BFE = emb_BFD.new_empty(batch, fields, dim + 1)
        others_B1D = (sum_BD * grad_B1)[:, None]
        torch.add(own_BX.view_as(emb_BFD), others_B1D, out=grad_BFE[:, :, :-1])
        grad_BFE[:, :, -1] = grad_B1
        return grad_BFE
