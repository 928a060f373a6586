"""DCN, first version: cross layers with a weight *vector*, beside an MLP.

    x_0 = z = [v_1, …, v_F]
    x_{l+1} = x_0 (x_lᵀ w_l) + b_l + x_l
    logit = ⟨w, [x_L, MLP(x_0)]⟩ + b

The cross half is never built as vectors. By induction x_l = α_l x_0 + β_l, with a number α_l per
row and a vector β_l that no row changes:

    α_0 = 1, β_0 = 0;   α_{l+1} = α_l + α_l (x_0ᵀ w_l) + β_lᵀ w_l,   β_{l+1} = β_l + b_l

so all layers and the head see x_0 through its products with L + 1 vectors, one thin matrix product.

Source: Wang et al., "Deep & Cross Network for Ad Click Predictions" (arXiv 1708.05123), eq. 3 and
5; FuxiCTR model_zoo/DCN. The mutual-finetuning paper cites this version, not DCN-V2.
Our choice: three cross layers, as in BARS; the mutual-finetuning paper does not say.
Deviation: none. Some libraries add a first-order logit or put b_l inside the product; the DCN
paper does neither.

B rows, F fields, X = F·D.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear
from models.precision import product_dtype


class DCN(ClickModel):
    """Cross network and MLP in parallel, concatenated, one linear output.

    Raises ValueError where `cross_layers` is below one.
    """

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: Sequence[int],
        dropout: float,
        cross_layers: int = 3,
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=False)
        if cross_layers < 1:
            raise ValueError(f"cross_layers is {cross_layers}; DCN needs at least one.")
        width = num_fields * embedding_dim
        self.cross = CrossNetwork(width, cross_layers)
        self.mlp = MLP(width, hidden, dropout)
        self.head = linear(width + hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        x0_BX = rows.emb_BFD.flatten(1)
        cross_1X, deep_1H = self.head.weight.split([x0_BX.shape[1], self.mlp.out_width], dim=1)
        x0_BX, cross_B = self.cross(x0_BX, cross_1X)
        return self.bias + cross_B + (self.mlp(x0_BX) @ deep_1H.t()).squeeze(1)


class CrossNetwork(nn.ModuleList):
    """⟨head, x_L⟩ per row, x_L the last of the layers x_{l+1} = x_0 (x_lᵀ w_l) + b_l + x_l."""

    def __init__(self, width: int, layers: int):
        super().__init__(CrossLayer(width) for _ in range(layers))

    def forward(self, x0_BX: Tensor, head_1X: Tensor) -> tuple[Tensor, Tensor]:
        """Return x_0 in `product_dtype`, for the MLP, and the layers' part of the logit [B]."""
        rows = [layer.project.weight for layer in self] + [head_1X]
        deep_x0_BX, seen_by_BL = _DeepAndSeen.apply(x0_BX, torch.cat(rows))
        alpha_B, beta_X = torch.ones_like(seen_by_BL[:, 0]), torch.zeros_like(self[0].bias)
        for layer, seen_B in zip(self, seen_by_BL.unbind(1), strict=False):
            alpha_B = alpha_B + alpha_B * seen_B + layer.project.weight[0].dot(beta_X)
            beta_X = beta_X + layer.bias
        return deep_x0_BX, alpha_B * seen_by_BL[:, -1] + head_1X[0].dot(beta_X)


class _DeepAndSeen(torch.autograd.Function):
    """x_0 → x_0 in `product_dtype` for the MLP, and its products with L vectors [B, L].

    One function, because the gradient of the second is then added to that of the first within the
    product that makes it.
    """

    @staticmethod
    def forward(ctx, x0_BX: Tensor, vectors_LX: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x0_BX, vectors_LX)
        return x0_BX.to(product_dtype(x0_BX)), F.linear(x0_BX, vectors_LX)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_deep_BX: Tensor, grad_seen_BL: Tensor) -> tuple[Tensor, Tensor]:
        x0_BX, vectors_LX = ctx.saved_tensors
        own_BX = grad_deep_BX.to(x0_BX.dtype)
        # A tensor that was just made may be written over, one that autograd gave may not.
        out = None if own_BX is grad_deep_BX else own_BX
        grad_x0_BX = torch.addmm(own_BX, grad_seen_BL, vectors_LX, out=out)
        return grad_x0_BX, grad_seen_BL.t() @ x0_BX


class CrossLayer(nn.Module):
    """The weights of one layer: `project` is w_l as a [1, X] matrix, `bias` is b_l."""

    def __init__(self, width: int):
        super().__init__()
        self.project = linear(width, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))
