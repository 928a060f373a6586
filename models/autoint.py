"""AutoInt+: multi-head self-attention between the fields, beside an MLP.

One interacting layer, for every head h:
    a_ij = softmax over j of ⟨Q_h e_i, K_h e_j⟩,   m_ih = Σ_j a_ij V_h e_j
    e_i ← relu([m_i1, …, m_iH] + R e_i)
    logit = b + ⟨w, [e_1, …, e_F]⟩ + MLP(z),   z = [v_1, …, v_F],   e_i = v_i before the first layer

Source: Song et al., "AutoInt: Automatic Feature Interaction Learning via Self-Attentive Neural
Networks" (arXiv 1810.11921), eq. 5-9, and its AutoInt+, which adds the MLP; FuxiCTR
model_zoo/AutoInt with its layer ScaledDotProductAttention.
Our choice: three layers of two heads of 32, as in the paper. Scores are not scaled, as in eq. 5.
Deviations: R is a matrix in every layer, as in eq. 8, where FuxiCTR takes R = I once the widths
are equal; dropout is in the MLP alone, where FuxiCTR and the authors' code also drop attention.

B rows, F fields, D embedding dim, H heads, K = 32 width of a head.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear

HEAD_WIDTH = 32


class AutoInt(ClickModel):
    """Attention layers and MLP in parallel, their logits added.

    Raises ValueError where `attention_layers` or `heads` is below one.
    """

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: Sequence[int],
        dropout: float,
        attention_layers: int = 3,
        heads: int = 2,
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=False)
        for name, count in {"attention_layers": attention_layers, "heads": heads}.items():
            if count < 1:
                raise ValueError(f"{name} is {count}; AutoInt needs at least one.")
        width = heads * HEAD_WIDTH
        widths = [embedding_dim] + [width] * (attention_layers - 1)
        self.attention = nn.Sequential(*(Interacting(in_width, heads) for in_width in widths))
        self.attention_head = linear(num_fields * width, 1, bias=False)
        self.mlp = MLP(num_fields * embedding_dim, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        attended_B = self.attention_head(self.attention(rows.emb_BFD).flatten(1)).squeeze(1)
        deep_B = self.head(self.mlp(rows.emb_BFD.flatten(1))).squeeze(1)
        return self.bias + attended_B + deep_B


class Interacting(nn.Module):
    """One interacting layer: [B, F, in_width] → [B, F, H·K]."""

    def __init__(self, in_width: int, heads: int):
        super().__init__()
        self.heads = heads
        width = heads * HEAD_WIDTH
        self.query = linear(in_width, width, bias=False)
        self.key = linear(in_width, width, bias=False)
        self.value = linear(in_width, width, bias=False)
        self.residual = linear(in_width, width, bias=False)

    def forward(self, x_BFX: Tensor) -> Tensor:
        query_BHFK, key_BHFK, value_BHFK = (
            project(x_BFX).unflatten(2, (self.heads, HEAD_WIDTH)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        mixed_BHFK = F.scaled_dot_product_attention(query_BHFK, key_BHFK, value_BHFK, scale=1.0)
        return (mixed_BHFK.transpose(1, 2).flatten(2) + self.residual(x_BFX)).relu()
