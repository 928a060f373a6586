"""DICN: compressed interactions of every order, weighed anew for every row, beside an MLP.

    X⁰ = (v_1, …, v_F),   X^k_h = Σ_f Σ_g W^k_hfg (v_f ⊙ X^{k−1}_g)       h = 1 … H, k = 1 … K
    order 1: o_0 = Σ_i w_i,   order k + 1: o_k = ⟨u_k, Σ_d X^k_d⟩
    g = (K + 1) · softmax(A z + a),   logit = b + Σ_k g_k o_k + MLP(z),   z = [v_1, …, v_F]

Source: Guan, Qian and He, "A knowledge distillation-based deep interaction compressed network for
CTR prediction" (Knowledge-Based Systems 275, 2023), as far as it can be read without buying it.
**A reconstruction**: the paper's formulas are not public, and a number of this model is no number
of the paper's. What is known, and of it is made:
- its name: a deep part, and interactions that are compressed, which since xDeepFM (arXiv
  1803.05170) means its CIN; taken from there as it stands in xdeepfm.py;
- "higher and lower order feature interactions under varying weights", the first author on DICN in
  Guan et al., Journal of Big Data 12:223 (2025): each order has a weight g_k of its own, varying
  with the row; equal weights make it xDeepFM;
- a distillation that makes it light enough to serve: the arm `dicn` of a study.
Ours without any source: that one linear map of z gives the weights, softmax, their sum K + 1, that
order 1 is among them and the MLP is not, K = 3, H = 16 as in xdeepfm.py.

B rows, F fields, D embedding dim, E = D + 1, K layers, H maps of a layer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear
from models.xdeepfm import CompressedInteractions


class DICN(ClickModel):
    """Weighed orders + deep part.

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
        self.cin_heads = nn.ModuleList(linear(cin_maps, 1, bias=False) for _ in self.cin)
        self.gate = linear(num_fields * embedding_dim, cin_layers + 1, bias=True)
        self.mlp = MLP(num_fields * embedding_dim, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        emb_BFD, first_BF = rows
        flat_BX = emb_BFD.flatten(1)
        pooled = zip(self.cin(emb_BFD), self.cin_heads, strict=True)
        orders = [first_BF.sum(dim=1), *(read(maps_BH).squeeze(1) for maps_BH, read in pooled)]
        weight_BO = self.gate(flat_BX).softmax(dim=1) * len(orders)
        deep_B = self.head(self.mlp(flat_BX)).squeeze(1)
        return self.bias + (weight_BO * torch.stack(orders, dim=1)).sum(dim=1) + deep_B
