"""DeepFM: a factorization machine and an MLP on the same embeddings.

    logit = b + Σ_i w_i + Σ_{i<j} ⟨v_i, v_j⟩ + MLP(z),   z = [v_1, …, v_F]

Source: Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction"
(arXiv 1703.04247), eq. 1-4; FuxiCTR model_zoo/DeepFM.
Deviation: FuxiCTR's two additive constants are one (models/base.py).

B rows, F fields, D embedding dim, X = F·D, Y width of the first layer.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, before_relu, linear
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

    def interact(self, rows: Gathered) -> Tensor:
        first = self.mlp.first
        hidden_BY, pairs_B = _FirstLayerAndPairs.apply(rows.emb_BFD, first.weight, first.bias)
        deep_B = self.head(self.mlp.after_first(hidden_BY)).squeeze(1)
        return self.bias + rows.first_BF.sum(dim=1) + pairs_B + deep_B


class _FirstLayerAndPairs(torch.autograd.Function):
    """emb_BFD → relu(W z + b) [B, Y] as models/mlp.py has it, and Σ_{i<j} ⟨v_i, v_j⟩ per row [B].

    The pairs are ½ (‖Σ_i v_i‖² − Σ_i ‖v_i‖²), in O(F·D); their derivative is Σ_j v_j − v_i.
    One function, because both gradients of the embeddings then meet in the memory that the
    layer's product has just filled: autograd's own steps take as many passes over fresh memory as
    the layers above take time.
    """

    @staticmethod
    def forward(ctx, emb_BFD: Tensor, weight_YX: Tensor, bias_Y: Tensor) -> tuple[Tensor, Tensor]:
        dtype = product_dtype(weight_YX)
        z_BX, sum_BD = emb_BFD.flatten(1), emb_BFD.sum(dim=1)
        squares_B = torch.linalg.vector_norm(z_BX, dim=1).square()
        short_BX, short_YX = z_BX.to(dtype), weight_YX.to(dtype)
        y_BY = F.linear(short_BX, short_YX, bias_Y.to(dtype)).relu_()
        ctx.save_for_backward(emb_BFD, sum_BD, short_BX, short_YX, y_BY)
        return y_BY, 0.5 * (sum_BD.square().sum(dim=1) - squares_B)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_BY: Tensor, grad_pairs_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        emb_BFD, sum_BD, short_BX, short_YX, y_BY = ctx.saved_tensors
        dtype = emb_BFD.dtype
        grad_BY, grad_weight_YX, grad_bias_Y = before_relu(grad_BY, y_BY, short_BX)
        grad_B11 = grad_pairs_B[:, None, None]
        grad_BFD = (grad_BY @ short_YX).to(dtype).view_as(emb_BFD)
        grad_BFD.addcmul_(emb_BFD, grad_B11, value=-1)
        grad_BFD += sum_BD[:, None] * grad_B11
        return grad_BFD, grad_weight_YX.to(dtype), grad_bias_Y.to(dtype)
