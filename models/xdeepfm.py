"""xDeepFM: a compressed interaction network (CIN) beside a logistic regression and an MLP.

    X⁰ = (v_1, …, v_F),   X^k_h = Σ_f Σ_g W^k_hfg (v_f ⊙ X^{k−1}_g)       h = 1 … H, k = 1 … K
    logit = b + Σ_i w_i + ⟨u, [Σ_d X^1_hd, …, Σ_d X^K_hd]⟩ + MLP(z),   z = [v_1, …, v_F]

Source: Lian et al., "xDeepFM: Combining Explicit and Implicit Feature Interactions for
Recommender Systems" (arXiv 1803.05170), eq. 6-7 and its output unit of linear
part, CIN and DNN; FuxiCTR model_zoo/xDeepFM with its layer CompressedInteractionNet.
Our choice: K = 3 layers of H = 16 maps, FuxiCTR's; the paper's 200 maps on Criteo are 12 times
the work in the first layer and 156 times in the others. No activation between layers: the paper
found none the best, FuxiCTR has none.
Deviations: no bias in a CIN layer, as in eq. 6, where FuxiCTR has one per map; every layer feeds
the logit whole, where the authors' code passes half of each layer on and reads out the other half.

B rows, F fields, D embedding dim, E = D + 1, H maps of a layer, G maps (or fields) before it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear


class XDeepFM(ClickModel):
    """First order + CIN + deep part.

    Raises ValueError where `cin_layers` or `cin_maps` is below one.
    """

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: Sequence[int],
        dropout: float,
        cin_layers: int = 3,
        cin_maps: int = 16,
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=True)
        self.cin = CompressedInteractions(num_fields, cin_layers, cin_maps)
        self.cin_head = linear(cin_layers * cin_maps, 1, bias=False)
        self.mlp = MLP(num_fields * embedding_dim, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        emb_BFD, first_BF = rows
        explicit_B = self.cin_head(torch.cat(self.cin(emb_BFD), dim=1)).squeeze(1)
        deep_B = self.head(self.mlp(emb_BFD.flatten(1))).squeeze(1)
        return self.bias + first_BF.sum(dim=1) + explicit_B + deep_B


class CompressedInteractions(nn.ModuleList):
    """The CIN: emb_BFD → Σ_d X^k_d [B, H] of every layer k = 1 … K.

    Raises ValueError where `cin_layers` or `cin_maps` is below one.
    """

    def __init__(self, num_fields: int, cin_layers: int, cin_maps: int):
        for name, count in {"cin_layers": cin_layers, "cin_maps": cin_maps}.items():
            if count < 1:
                raise ValueError(f"{name} is {count}; a CIN needs at least one.")
        widths = [num_fields] + [cin_maps] * (cin_layers - 1)
        super().__init__(CompressedInteraction(num_fields, g, cin_maps) for g in widths)

    def forward(self, emb_BFD: Tensor) -> list[Tensor]:
        maps_BHD, pooled = emb_BFD, []
        for layer in self:
            maps_BHD = layer(emb_BFD, maps_BHD)
            pooled.append(maps_BHD.sum(dim=2))
        return pooled


class CompressedInteraction(nn.Module):
    """One CIN layer: Σ_f Σ_g W_hfg (v_f ⊙ x_g), emb_BFD and x_BGD → [B, H, D].

    W is summed with x first, so the outer product [B, F, G, D] is never built.
    """

    def __init__(self, num_fields: int, in_maps: int, out_maps: int):
        super().__init__()
        self.fields = num_fields
        self.compress = linear(num_fields * in_maps, out_maps, bias=False)

    def forward(self, emb_BFD: Tensor, x_BGD: Tensor) -> Tensor:
        out_maps = self.compress.out_features
        weight_HFxG = self.compress.weight.view(out_maps * self.fields, -1)
        mixed_BHFD = (weight_HFxG @ x_BGD).unflatten(1, (out_maps, self.fields))
        return (mixed_BHFD * emb_BFD.unsqueeze(1)).sum(dim=2)
