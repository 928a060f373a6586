"""DIEN: interests drawn from earlier items by a GRU, their course towards the target by another.

One step of a gated unit whose update is scaled by g_t:
    u_t = σ(W_u x_t + U_u h_{t−1} + b_u),   r_t = σ(W_r x_t + U_r h_{t−1} + b_r)
    h̃_t = tanh(W_h x_t + r_t ⊙ U_h h_{t−1} + b_h)
    h_t = (1 − g_t u_t) ⊙ h_{t−1} + g_t u_t ⊙ h̃_t
Interests h_t: x_t = e_t, g_t = 1.   a_t = softmax over t of h_tᵀ W v.
Their evolution (AUGRU): x_t = h_t, g_t = a_t; its last state is the interest u.
    logit = b + MLP([v_1, …, v_P, u_1, …, u_S]),   v the target's embedding, e_t an item's

While it learns, each state is asked which item comes next, e_{t+1} or one of another row, ê:
    L = BCE(y, σ(logit)) + mean over all (row, t) of −ln σ(h_tᵀ e_{t+1}) − ln(1 − σ(h_tᵀ ê_{t+1}))

A place without an item has g_t = 0 in both, so it changes nothing wherever it stands, and the next
item is the next that is there; a row without items has u = 0.

Source: Zhou et al., "Deep Interest Evolution Network for Click-Through Rate Prediction" (arXiv
1809.03672), its GRU, auxiliary loss (eq. 7, whose bracket of two vectors is read as their inner
product), attention and AUGRU; the authors' code (mouna99/dien) for what the paper leaves open: the
auxiliary loss has weight 1, one negative a state, drawn as often as an item is met, never the item
itself. FuxiCTR model_zoo/DIEN switches this loss off (aux_loss_alpha 0) and fails on shapes where
it is on.
Deviations of the auxiliary loss: ê comes from the batch, the item of the next row at the same
place, or that row's target where it has none. Rows come in a seeded random order, so this is a
draw from the items as they are met; it needs no generator, and no id, which `interact` never sees.
The mean is over the states that have a next item, where the paper sums over t and the authors'
code averages over empty places too, so that weight 1 says the same at every length. Their code
scores a pair by a network of its own, the paper by the product.
Others: a sequence is items of one field; the MLP has ReLU; W is Xavier-normal, where FuxiCTR
starts at I; b_h is one vector, as in the paper, where torch and FuxiCTR have another within r_t.

B rows, P plain fields, S sequences, T places of a sequence, D embedding dim.
"""

from collections import abc

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ClickModel
from models.embedding import Gathered
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

    def interact(self, rows: Gathered) -> Tensor:
        plain_BPD, sequences = self.sequences(rows.emb_BFD)
        units = zip(self.evolution, sequences, strict=True)
        return self._judge(plain_BPD, [unit(sequence) for unit, sequence in units])

    def learn(self, rows: Gathered) -> tuple[Tensor, Tensor]:
        """logit_B, and the auxiliary loss summed over the sequences."""
        plain_BPD, sequences = self.sequences(rows.emb_BFD)
        evolved, auxiliary = [], rows.emb_BFD.new_zeros(())
        for unit, sequence in zip(self.evolution, sequences, strict=True):
            interests_BTD = unit.interests(sequence)
            evolved.append(unit.course(sequence, interests_BTD))
            auxiliary = auxiliary + next_item_loss(sequence, interests_BTD)
        return self._judge(plain_BPD, evolved), auxiliary

    def _judge(self, plain_BPD: Tensor, evolved: list[Tensor]) -> Tensor:
        hidden_BH = self.mlp(plain_BPD.flatten(1), *evolved)
        return self.bias + self.head(hidden_BH).squeeze(1)


class InterestEvolution(nn.Module):
    """The last state of the evolution [B, D]."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.extract = GatedUnit(embedding_dim)
        self.relevance = linear(embedding_dim, embedding_dim, bias=False)
        self.evolve = GatedUnit(embedding_dim)

    def forward(self, sequence: Unfolded) -> Tensor:
        return self.course(sequence, self.interests(sequence))

    def interests(self, sequence: Unfolded) -> Tensor:
        """interests_BTD, the states after each item."""
        return self.extract(sequence.items_BTD, sequence.present_BT)

    def course(self, sequence: Unfolded, interests_BTD: Tensor) -> Tensor:
        """Where they have come to, seen from the target."""
        wanted_BD1 = self.relevance(sequence.target_BD).unsqueeze(2)
        score_BT = (interests_BTD @ wanted_BD1).squeeze(2)
        attention_BT = masked_softmax(score_BT, sequence.present_BT)
        return self.evolve(interests_BTD, attention_BT)[:, -1]


def next_item_loss(sequence: Unfolded, interests_BTD: Tensor) -> Tensor:
    """Can a state tell the item that comes next from one of another row? 0 where none comes next.

    A pair whose two items are the same has no negative term.
    """
    present_BT, next_BUD = sequence.present_BT, sequence.items_BTD[:, 1:]  # U = T − 1
    begun_BU = present_BT.cumsum(dim=1)[:, :-1] > 0
    asked_BU = present_BT[:, 1:] & begun_BU
    other_BUD = torch.where(
        present_BT[:, 1:, None], next_BUD, sequence.target_BD.unsqueeze(1)
    ).roll(1, dims=0)
    differs_BU = (other_BUD != next_BUD).any(dim=2)
    state_BUD = interests_BTD[:, :-1]
    taken_BU = F.softplus(-(state_BUD * next_BUD).sum(dim=2))
    left_BU = F.softplus((state_BUD * other_BUD).sum(dim=2)) * differs_BU
    return ((taken_BU + left_BU) * asked_BU).sum() / asked_BU.sum().clamp(min=1)


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
