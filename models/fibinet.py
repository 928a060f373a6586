"""FiBiNET: field weights by squeeze and excitation, bilinear pairs of raw and weighted embeddings.

    logit = b + Σ_i w_i + MLP([p(E), q(V)])
    V_i = A_i v_i,   A = relu(W₂ relu(W₁ m)),   m_i = mean_d v_id
    p_ij = (v_i W_ij) ⊙ v_j,   q_ij = (V_i W'_ij) ⊙ V_j   for i < j

Source: Huang et al., "FiBiNET: Combining Feature Importance and Bilinear feature Interaction for
Click-Through Rate Prediction" (arXiv 1905.09433); FuxiCTR model_zoo/FiBiNET.
Our choices (the mutual-finetuning paper is silent): `interaction`, reduction 3, and weights W, W'
of their own for the two paths, as in FuxiCTR and the TensorFlow DeepCTR.
Deviations: a bias w₀ as in the FiBiNET paper, where FuxiCTR leaves it to the MLP's output layer;
initial scale and number of the bilinear matrices, see models/bilinear.py.

B rows, F fields, D embedding dim, E = D + 1, P pairs.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from models.base import ClickModel
from models.bilinear import Bilinear, hidden_of_pairs
from models.embedding import Gathered
from models.mlp import MLP, linear


class FiBiNET(ClickModel):
    """First order + MLP over the bilinear pairs of raw and SENET-weighted embeddings.

    Raises ValueError where `bilinear` is none of the three or `reduction` is below one.
    """

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: Sequence[int],
        dropout: float,
        bilinear: Literal["all", "each", "interaction"] = "interaction",
        reduction: int = 3,
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=True)
        self.senet = SENET(num_fields, reduction)
        self.raw_pairs = Bilinear(num_fields, embedding_dim, bilinear)
        self.weighted_pairs = Bilinear(num_fields, embedding_dim, bilinear)
        num_pairs = num_fields * (num_fields - 1) // 2
        self.mlp = MLP(2 * num_pairs * embedding_dim, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        emb_BFD, first_BF = rows
        paths = (emb_BFD, self.raw_pairs), (self.senet(emb_BFD), self.weighted_pairs)
        hidden_BH = self.mlp.after_first(hidden_of_pairs(self.mlp.first, *paths))
        return self.bias + first_BF.sum(dim=1) + self.head(hidden_BH).squeeze(1)


class SENET(nn.Module):
    """v_i → A_i v_i with A = relu(W₂ relu(W₁ m)), m the mean of each embedding; no biases.

    The middle layer has max(1, ⌊F / reduction⌋) units. An output of exactly zero silences its
    field on the weighted path; with one middle unit about half of the fields start, and stay, so.
    """

    def __init__(self, num_fields: int, reduction: int):
        super().__init__()
        if reduction < 1:
            raise ValueError(f"reduction is {reduction}; SENET divides the fields by at least one.")
        middle = max(1, num_fields // reduction)
        self.squeeze = linear(num_fields, middle, bias=False)
        self.excite = linear(middle, num_fields, bias=False)

    def forward(self, emb_BFD: Tensor) -> Tensor:
        scale_BF = self.excite(self.squeeze(emb_BFD.mean(dim=2)).relu()).relu()
        return emb_BFD * scale_BF.unsqueeze(2)
