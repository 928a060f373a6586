"""DIEN: interests drawn from earlier items by a GRU, their course towards the target by another.

One step of a gated unit whose update is scaled by g_t:
    u_t = σ(W_u x_t + U_u h_{t−1} + b_u),   r_t = σ(W_r x_t + U_r h_{t−1} + b_r)
    h̃_t = tanh(W_h x_t + r_t ⊙ U_h h_{t−1} + b_h)
    h_t = (1 − g_t u_t) ⊙ h_{t−1} + g_t u_t ⊙ h̃_t
Interests h_t: x_t = e_t, g_t = 1.   a_t = softmax over t of h_tᵀ W v.
Their evolution (AUGRU): x_t = h_t, g_t = a_t; its last state is the interest u.
    logit = b + MLP([v_1, …, v_P, u_1, …, u_S]),   v the target's embedding, e_t an item's

A place without an item has g_t = 0 in both, so it changes nothing wherever it stands; a row
without items has u = 0.

Source: Zhou et al., "Deep Interest Evolution Network for Click-Through Rate Prediction" (arXiv
1809.03672), its GRU, attention and AUGRU; FuxiCTR model_zoo/DIEN (AUGRU, bilinear attention).
Deviation that matters: no auxiliary loss. The paper's L_aux asks h_t to tell the next item from a
sampled one; a click model here is a logit of the rows it is given, and neither the sampled items
nor a second loss have a place in that. FuxiCTR switches it off as well (aux_loss_alpha 0), and
fails on shapes where it is switched on. In the paper's ablation much of the gain is this loss.
Others: a sequence is items of one field; the MLP has ReLU; W is Xavier-normal, where FuxiCTR
starts at I; b_h is one vector, as in the paper, where torch and FuxiCTR have another within r_t.

B rows, P plain fields, S sequences, T places of a sequence, D embedding dim.
"""

from collections import abc

import torch
from torch import Tensor, nn

from models.base import ClickModel
from models.mlp import MLP, linear
from models.sequence import Sequence, Sequences, Unfolded


class DIEN(ClickModel):
    """Plain fields and one evolved interest per sequence into the MLP; no options of its own.

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
        self.evolution = nn.ModuleList(InterestEvolution(embedding_dim) for _ in sequences)
        self.mlp = MLP((self.sequences.num_plain + len(sequences)) * embedding_dim, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows_BFE: Tensor) -> Tensor:
        plain_BPD, sequences = self.sequences(rows_BFE)
        interests = [
            evolve(sequence) for evolve, sequence in zip(self.evolution, sequences, strict=True)
        ]
        everything = torch.cat([plain_BPD.flatten(1), *interests], dim=1)
        return self.bias + self.head(self.mlp(everything)).squeeze(1)


class InterestEvolution(nn.Module):
    """The last state of the evolution [B, D]."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.extract = GatedUnit(embedding_dim)
        self.relevance = linear(embedding_dim, embedding_dim, bias=False)
        self.evolve = GatedUnit(embedding_dim)

    def forward(self, sequence: Unfolded) -> Tensor:
        interests_BTD = self.extract(sequence.items_BTD, sequence.present_BT)
        wanted_BD1 = self.relevance(sequence.target_BD).unsqueeze(2)
        score_BT = (interests_BTD @ wanted_BD1).squeeze(2)
        attention_BT = masked_softmax(score_BT, sequence.present_BT)
        return self.evolve(interests_BTD, attention_BT)[:, -1]


class GatedUnit(nn.Module):
    """A GRU whose update at step t is scaled by gate_BT: x_BTD → all states h_BTD, from h = 0."""

    def __init__(self, width: int):
        super().__init__()
        self.from_input = linear(width, 3 * width, bias=True)
        self.from_state = linear(width, 3 * width, bias=False)

    def forward(self, x_BTD: Tensor, gate_BT: Tensor) -> Tensor:
        update_in, reset_in, new_in = self.from_input(x_BTD).chunk(3, dim=2)
        state_BD = torch.zeros_like(x_BTD[:, 0])
        states = []
        for t in range(x_BTD.shape[1]):
            update_state, reset_state, new_state = self.from_state(state_BD).chunk(3, dim=1)
            update_BD = (update_in[:, t] + update_state).sigmoid() * gate_BT[:, t, None]
            reset_BD = (reset_in[:, t] + reset_state).sigmoid()
            new_BD = (new_in[:, t] + reset_BD * new_state).tanh()
            state_BD = torch.lerp(state_BD, new_BD, update_BD)
            states.append(state_BD)
        return torch.stack(states, dim=1)


def masked_softmax(score_BT: Tensor, present_BT: Tensor) -> Tensor:
    """Shares over the places that are there; all zero where none is."""
    lowest = torch.finfo(score_BT.dtype).min
    return score_BT.masked_fill(~present_BT, lowest).softmax(dim=1) * present_BT
