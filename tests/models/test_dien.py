"""DIEN's gated unit by hand, against torch's GRU, and the whole evolution row by row."""

from math import log

import torch

from models.dien import GatedUnit, InterestEvolution, masked_softmax
from models.sequence import Unfolded


def test_a_gated_step_by_hand():
    # W = (0, 0, 1), U = 0, b = 0: u = r = ½, h̃ = tanh(ln 3 / 2) = (3 − 1) / (3 + 1) = ½
    # g = 1: ½ · ½ = .25;  g = ½: .25 + ¼ (.5 − .25) = .3125;  g = 0: stays
    unit = GatedUnit(1)
    unit.load_state_dict(
        {
            "from_input.weight": torch.tensor([[0.0], [0.0], [1.0]]),
            "from_input.bias": torch.zeros(3),
            "from_state.weight": torch.zeros(3, 1),
        }
    )
    states = unit(torch.full((1, 3, 1), log(3) / 2), torch.tensor([[1.0, 0.5, 0.0]]))
    torch.testing.assert_close(states.flatten(), torch.tensor([0.25, 0.3125, 0.3125]))


def test_without_a_gate_it_is_torchs_gru():
    # torch writes h = (1 − z) h̃ + z h, so its z is 1 − u: the update's weights change sign.
    torch.manual_seed(0)
    ours, theirs = GatedUnit(3).double(), torch.nn.GRU(3, 3, batch_first=True).double()
    torch.nn.init.normal_(ours.from_input.bias)

    def in_torchs_order(ours_3D):
        update, reset, new = ours_3D.chunk(3)
        return torch.cat([reset, -update, new])

    theirs.load_state_dict(
        {
            "weight_ih_l0": in_torchs_order(ours.from_input.weight),
            "weight_hh_l0": in_torchs_order(ours.from_state.weight),
            "bias_ih_l0": in_torchs_order(ours.from_input.bias),
            "bias_hh_l0": torch.zeros(9, dtype=torch.float64),
        }
    )
    x_BTD = torch.randn(4, 6, 3, dtype=torch.float64)
    torch.testing.assert_close(ours(x_BTD, torch.ones(4, 6)), theirs(x_BTD)[0])


def test_softmax_over_the_places_that_are_there():
    # apart by ln 3: ¾ and ¼; the place between is not there; a row without any has no share
    score_BT = torch.tensor([[log(3), 50.0, 0.0], [1.0, 2.0, 3.0]])
    present_BT = torch.tensor([[True, False, True], [False, False, False]])
    expected = torch.tensor([[0.75, 0.0, 0.25], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(masked_softmax(score_BT, present_BT), expected)


def test_evolution_equals_each_row_without_its_padding():
    torch.manual_seed(0)
    evolve = InterestEvolution(3).double()
    target_BD = torch.randn(5, 3, dtype=torch.float64)
    items_BTD = torch.randn(5, 4, 3, dtype=torch.float64)
    present_BT = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 0, 0], [0] * 4]) > 0
    naive = []
    for row in range(5):
        items = items_BTD[row, present_BT[row]]
        if not len(items):
            naive.append(torch.zeros(3, dtype=torch.float64))
            continue
        interests = evolve.extract(items[None], torch.ones(1, len(items)))[0]
        share = (interests @ evolve.relevance(target_BD[row])).softmax(dim=0)
        state = torch.zeros(3, dtype=torch.float64)
        for interest, a in zip(interests, share, strict=True):
            in_u, in_r, in_n = evolve.evolve.from_input(interest).chunk(3)
            of_u, of_r, of_n = evolve.evolve.from_state(state).chunk(3)
            scaled = a * torch.sigmoid(in_u + of_u)
            new = torch.tanh(in_n + torch.sigmoid(in_r + of_r) * of_n)
            state = (1 - scaled) * state + scaled * new
        naive.append(state)
    found_BD = evolve(Unfolded(target_BD, items_BTD, present_BT))
    torch.testing.assert_close(found_BD, torch.stack(naive))
