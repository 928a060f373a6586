"""DIEN's gated unit by hand, against torch's GRU, and the whole evolution row by row."""

from math import log

import torch

from models.dien import GatedUnit, InterestEvolution, masked_softmax, next_item_loss
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


def test_the_next_item_by_hand():
    # One dimension, two rows of two items: e = (2, ln 3) and (5, −ln 3), states after the first 1.
    # Row 0: next ln 3, other row's −ln 3. −ln σ(ln 3) = ln 4/3;  −ln(1 − σ(−ln 3)) = ln 4/3.
    # Row 1: next −ln 3, other ln 3. −ln σ(−ln 3) = ln 4;  −ln(1 − σ(ln 3)) = ln 4.
    # Mean over the two pairs: (2 ln 4/3 + 2 ln 4) / 2 = ln 16/3.
    items_BTD = torch.tensor([[[2.0], [log(3)]], [[5.0], [-log(3)]]])
    states_BTD = torch.tensor([[[1.0], [9.0]], [[1.0], [9.0]]])
    target_BD = torch.tensor([[7.0], [log(3)]])
    everywhere = torch.ones(2, 2, dtype=torch.bool)
    loss = next_item_loss(Unfolded(target_BD, items_BTD, everywhere), states_BTD)
    torch.testing.assert_close(loss, torch.tensor(log(16 / 3)))

    # Row 1 without its second item: it asks nothing, and its target, ln 3, stands for the item.
    # That is row 0's own next item, so no negative: ln 4/3 alone.
    present_BT = torch.tensor([[True, True], [True, False]])
    items_BTD = items_BTD * present_BT.unsqueeze(2)
    loss = next_item_loss(Unfolded(target_BD, items_BTD, present_BT), states_BTD)
    torch.testing.assert_close(loss, torch.tensor(log(4 / 3)))

    nobody = torch.zeros(2, 2, dtype=torch.bool)
    assert next_item_loss(Unfolded(target_BD, items_BTD * 0, nobody), states_BTD) == 0


def test_the_next_item_equals_a_loop_over_rows():
    torch.manual_seed(0)
    evolve = InterestEvolution(3).double()
    item_ID = torch.randn(4, 3, dtype=torch.float64)
    present_BT = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 0, 0], [0] * 4]) > 0
    ids_BT = torch.randint(4, (5, 4))
    targets = torch.randint(4, (5,))
    items_BTD = item_ID[ids_BT] * present_BT.unsqueeze(2)
    sequence = Unfolded(item_ID[targets], items_BTD, present_BT)
    total, pairs, repeated = 0.0, 0, 0
    for row in range(5):
        places = [t for t in range(4) if present_BT[row, t]]
        if not places:
            continue
        states = evolve.extract(item_ID[ids_BT[row, places]][None], torch.ones(1, len(places)))[0]
        for n, place in enumerate(places[1:]):
            total -= torch.sigmoid(states[n] @ item_ID[ids_BT[row, place]]).log()
            pairs += 1
            there = present_BT[row - 1, place]
            other = ids_BT[row - 1, place] if there else targets[row - 1]
            repeated += int(other == ids_BT[row, place])
            if other != ids_BT[row, place]:
                total -= (1 - torch.sigmoid(states[n] @ item_ID[other])).log()
    assert pairs == 1 + 3 + 1
    assert 0 < repeated < pairs
    found = next_item_loss(sequence, evolve.interests(sequence))
    torch.testing.assert_close(found, total / pairs)
