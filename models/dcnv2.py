"""DCN-V2: cross layers with a weight *matrix*, beside an MLP.

    x_0 = z = [v_1, …, v_F]
    x_{l+1} = x_0 ⊙ (W_l x_l + b_l) + x_l
    logit = ⟨w, [x_L, MLP(x_0)]⟩ + b

Source: Wang et al., "DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale
Learning to Rank Systems" (arXiv 2008.13535), eq. 1 and the parallel structure of section 3;
FuxiCTR model_zoo/DCNv2 with its layer CrossNetV2.
Our choice: the parallel structure and three layers, as in BARS. The stacked structure and the
low-rank mixture of experts, a saving for inputs much wider than these, are left out.
Deviation: none.

B rows, F fields, X = F·D.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear


class DCNv2(ClickModel):
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
            raise ValueError(f"cross_layers is {cross_layers}; DCN-V2 needs at least one.")
        width = num_fields * embedding_dim
        self.cross = nn.ModuleList(linear(width, width, bias=True) for _ in range(cross_layers))
        self.mlp = MLP(width, hidden, dropout)
        self.head = linear(width + hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        x0_BX = rows.emb_BFD.flatten(1)
        x_BX = x0_BX
        for layer in self.cross:
            x_BX = torch.addcmul(x_BX, x0_BX, layer(x_BX))
        both = torch.cat([x_BX, self.mlp(x0_BX)], dim=1)
        return self.bias + self.head(both).squeeze(1)
