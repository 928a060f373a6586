"""DCN, first version: cross layers with a weight *vector*, beside an MLP.

    x_0 = z = [v_1, …, v_F]
    x_{l+1} = x_0 (x_lᵀ w_l) + b_l + x_l
    logit = ⟨w, [x_L, MLP(x_0)]⟩ + b

Source: Wang et al., "Deep & Cross Network for Ad Click Predictions" (arXiv 1708.05123), eq. 3 and
5; FuxiCTR model_zoo/DCN. The mutual-finetuning paper cites this version, not DCN-V2.
Our choice: three cross layers, as in BARS; the mutual-finetuning paper does not say.
Deviation: none. Some libraries add a first-order logit or put b_l inside the product; the DCN
paper does neither.

B rows, F fields, X = F·D.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.base import ClickModel
from models.mlp import MLP, linear


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
        self.cross = nn.ModuleList(CrossLayer(width) for _ in range(cross_layers))
        self.mlp = MLP(width, hidden, dropout)
        self.head = linear(width + hidden[-1], 1, bias=False)

    def interact(self, rows_BFE: Tensor) -> Tensor:
        x0_BX = rows_BFE.flatten(1)
        x_BX = x0_BX
        for layer in self.cross:
            x_BX = layer(x0_BX, x_BX)
        both = torch.cat([x_BX, self.mlp(x0_BX)], dim=1)
        return self.bias + self.head(both).squeeze(1)


class CrossLayer(nn.Module):
    """x_0 (xᵀ w) + b + x, with the bias outside the product."""

    def __init__(self, width: int):
        super().__init__()
        self.project = linear(width, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x0_BX: Tensor, x_BX: Tensor) -> Tensor:
        return x0_BX * self.project(x_BX) + self.bias + x_BX
