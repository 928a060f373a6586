"""DIN: earlier items weighted by what they have to do with the item in question.

    a_t = Unit([v, e_t, v − e_t, v ⊙ e_t]),   u = Σ_t a_t e_t over the items that are there
    logit = b + MLP([v_1, …, v_P, u_1, …, u_S]),   v the target's embedding, e_t an item's

The unit is one hidden layer with PReLU and a linear output. Its weights are not normalised, so u
also says how many items matter; a row without items has u = 0. Every sequence has its own unit.

Source: Zhou et al., "Deep Interest Network for Click-Through Rate Prediction" (arXiv 1706.06978),
eq. 3 and figure 2; FuxiCTR model_zoo/DIN with its layer DIN_Attention, whose 64 units we take.
Our choice: PReLU in the unit, the paper's DIN; its variant "DIN with Dice" is left out. Dice
needs statistics of the batch, so that a logit would depend on its neighbours and on the padding
(which FuxiCTR counts in), and a model would hold state that is no weight.
Deviations: the difference and the element-wise product stand for the paper's outer product, as in
the authors' and FuxiCTR's code; the MLP has ReLU, as everywhere here; a sequence is items of one
field, where the authors join item and category.

B rows, P plain fields, S sequences, T places of a sequence, D embedding dim.
"""

from collections import abc

import torch
from torch import Tensor, nn

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear
from models.sequence import Sequence, Sequences, Unfolded

UNITS = 64
INITIAL_SLOPE = 0.25


class DIN(ClickModel):
    """Plain fields and one interest per sequence into the MLP; it has no options of its own.

    Raises ValueError for sequences that `Sequences` refuses.
    """

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: abc.Sequence[int],
        dropout: float,
        sequences: tuple[Sequence, ...],
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=False)
        self.sequences = Sequences(sequences, num_fields)
        self.sequences.clear_padding(self.table)
        self.attention = nn.ModuleList(TargetAttention(embedding_dim) for _ in sequences)
        self.mlp = MLP((self.sequences.num_plain + len(sequences)) * embedding_dim, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        plain_BPD, sequences = self.sequences(rows.emb_BFD)
        interests = [
            attend(sequence) for attend, sequence in zip(self.attention, sequences, strict=True)
        ]
        hidden_BH = self.mlp(plain_BPD.flatten(1), *interests)
        return self.bias + self.head(hidden_BH).squeeze(1)


class TargetAttention(nn.Module):
    """Σ_t a_t e_t [B, D] over the items that are there."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.hidden = linear(4 * embedding_dim, UNITS, bias=True)
        self.slope = nn.Parameter(torch.full((UNITS,), INITIAL_SLOPE))
        self.out = linear(UNITS, 1, bias=True)

    def forward(self, sequence: Unfolded) -> Tensor:
        items_BTD = sequence.items_BTD
        target_BTD = sequence.target_BD.unsqueeze(1).expand_as(items_BTD)
        seen_BTX = torch.cat(
            [target_BTD, items_BTD, target_BTD - items_BTD, target_BTD * items_BTD], dim=2
        )
        unit_BTU = self.hidden(seen_BTX)
        unit_BTU = torch.where(unit_BTU > 0, unit_BTU, self.slope * unit_BTU)
        weight_BT = self.out(unit_BTU).squeeze(2) * sequence.present_BT
        return (weight_BT.unsqueeze(2) * items_BTD).sum(dim=1)
