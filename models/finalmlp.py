"""FinalMLP: two MLPs, each on its own selection of the input, fused by a bilinear form.

    s_n = 2 σ(g_n) ⊙ z,   o_n = MLP_n(s_n)  for n = 1, 2,   z = [v_1, …, v_F]
    logit = b + ⟨w_1, o_1⟩ + ⟨w_2, o_2⟩ + Σ_h o_1hᵀ W_h o_2h       h: equal parts of o_1 and o_2

The gate g_n, by `context`:
    learned         a vector, the same for every row
    leading_fields  Gate_n(v_n): an MLP of one hidden layer on the first field's embedding for
                    stream 1, on the second field's for stream 2 (user and item, where these lead)

Source: Mao et al., "FinalMLP: An Enhanced Two-Stream MLP Model for CTR Prediction" (arXiv
2304.00902), its stream-specific feature selection and its multi-head bilinear fusion; FuxiCTR
model_zoo/FinalMLP.
Our choice: `learned`, as for anonymous fields such as Criteo's; one part (h = 1), FuxiCTR's.
Deviations: both streams have the sizes in `hidden`; the gate's context is the field's embedding
in the one table, where FuxiCTR keeps a second table for it. A learned gate is the vector itself.
FuxiCTR puts an MLP on a learned context that starts at zero: its hidden units start at relu(0)
and, without a gradient, stay there, so only its last bias learns, which is our vector.

B rows, F fields, D embedding dim, X = F·D, H parts, K width of a part.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear

GATE_HIDDEN = 64


class FinalMLP(ClickModel):
    """Two gated streams and their fusion.

    Raises ValueError where `context` is neither of the two, where it needs two fields and there
    is one, and where `heads` does not divide the last hidden layer.
    """

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: Sequence[int],
        dropout: float,
        context: Literal["learned", "leading_fields"] = "learned",
        heads: int = 1,
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=False)
        width = num_fields * embedding_dim
        if context == "learned":
            self.gates = nn.ModuleList(LearnedGate(width) for _ in range(2))
        elif context == "leading_fields":
            if num_fields < 2:
                raise ValueError("context is leading_fields and there is only one field.")
            self.gates = nn.ModuleList(FieldGate(n, embedding_dim, width) for n in range(2))
        else:
            raise ValueError(
                f"context is {context!r}; FinalMLP knows 'learned' and 'leading_fields'."
            )
        self.streams = nn.ModuleList(MLP(width, hidden, dropout) for _ in range(2))
        self.fusion = BilinearFusion(hidden[-1], heads)

    def interact(self, rows: Gathered) -> Tensor:
        z_BX = rows.emb_BFD.flatten(1)
        one_BY, other_BY = (
            stream(2 * gate(rows.emb_BFD).sigmoid() * z_BX)
            for stream, gate in zip(self.streams, self.gates, strict=True)
        )
        return self.bias + self.fusion(one_BY, other_BY)


class LearnedGate(nn.Module):
    """The same gate for every row [X]; it starts at 0, that is at s = z."""

    def __init__(self, width: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, emb_BFD: Tensor) -> Tensor:
        return self.bias


class FieldGate(nn.Module):
    """A gate made from the embedding of one field: emb_BFD → [B, X]."""

    def __init__(self, field: int, embedding_dim: int, width: int):
        super().__init__()
        self.field = field
        self.hidden = linear(embedding_dim, GATE_HIDDEN, bias=True)
        self.out = linear(GATE_HIDDEN, width, bias=True)

    def forward(self, emb_BFD: Tensor) -> Tensor:
        return self.out(self.hidden(emb_BFD[:, self.field]).relu())


class BilinearFusion(nn.Module):
    """⟨w_1, x⟩ + ⟨w_2, y⟩ + Σ_h x_hᵀ W_h y_h: x_BY and y_BY, the widths of both, → [B].

    The stack W starts Xavier-normal as the one linear layer over all products x_hk y_hl it is.
    Raises ValueError where `heads` does not divide the width.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(
                f"heads is {heads}; FinalMLP cuts the last hidden layer's {width} units into that "
                "many equal parts."
            )
        part = width // heads
        self.first = linear(width, 1, bias=False)
        self.second = linear(width, 1, bias=False)
        self.weight = nn.Parameter(torch.empty(heads, part, part))
        nn.init.normal_(self.weight, std=(2 / (self.weight.numel() + 1)) ** 0.5)

    def forward(self, x_BY: Tensor, y_BY: Tensor) -> Tensor:
        x_HBK, y_HBK = (v.unflatten(1, self.weight.shape[:2]).transpose(0, 1) for v in (x_BY, y_BY))
        product_B = (x_HBK @ self.weight * y_HBK).sum(dim=(0, 2))
        return (self.first(x_BY) + self.second(y_BY)).squeeze(1) + product_B
