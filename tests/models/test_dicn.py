"""DICN by hand, and that equal weights of the orders make it xDeepFM."""

from math import log

import pytest
import torch

from models.dicn import DICN
from models.xdeepfm import XDeepFM


def test_logit_by_hand():
    # v_1 = (1, 2), w_1 = .5      v_2 = (3, −1), w_2 = .25      b = .1; one map per layer
    # order 1 is .75; X¹ = (16, 1) and X² = (−32, 3) as in test_xdeepfm.py,
    # so order 2 is 1 · 17 and order 3 is .5 · (−29) = −14.5
    # gate (0, ln 2 · z_1, ln 3) with z_1 = 1: shares 1/6, 2/6, 3/6, weights .5, 1, 1.5
    # deep relu(1 + 2 + 3 − 1 − 4) = 1, times 2
    # logit .1 + .375 + 17 − 21.75 + 2 = −2.275
    model = DICN(
        num_ids=2,
        num_fields=2,
        embedding_dim=2,
        hidden=(1,),
        dropout=0.0,
        cin_layers=2,
        cin_maps=1,
    )
    gate = torch.zeros(3, 4)
    gate[1, 0] = log(2)
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0, 0.5], [3.0, -1.0, 0.25]]),
            "bias": torch.tensor([0.1]),
            "cin.0.compress.weight": torch.tensor([[1.0, 2.0, 0.0, 1.0]]),
            "cin.1.compress.weight": torch.tensor([[1.0, -1.0]]),
            "cin_heads.0.weight": torch.tensor([[1.0]]),
            "cin_heads.1.weight": torch.tensor([[0.5]]),
            "gate.weight": gate,
            "gate.bias": torch.tensor([0.0, 0.0, log(3)]),
            "mlp.layers.0.weight": torch.ones(1, 4),
            "mlp.layers.0.bias": torch.tensor([-4.0]),
            "head.weight": torch.tensor([[2.0]]),
        }
    )
    torch.testing.assert_close(model(torch.tensor([[0, 1]])), torch.tensor([-2.275]))


def test_equal_weights_of_the_orders_make_it_xdeepfm():
    torch.manual_seed(0)
    shape = {"num_ids": 12, "num_fields": 3, "embedding_dim": 4, "hidden": (5,), "dropout": 0.0}
    ours, theirs = DICN(**shape), XDeepFM(**shape)
    torch.nn.init.normal_(ours.table, std=0.5)
    torch.nn.init.zeros_(ours.gate.weight)
    carried = {
        name: value
        for name, value in ours.state_dict().items()
        if not name.startswith(("gate", "cin_heads"))
    }
    heads = [read.weight for read in ours.cin_heads]
    theirs.load_state_dict(carried | {"cin_head.weight": torch.cat(heads, dim=1)})
    ids_BF = torch.randint(12, (8, 3))
    torch.testing.assert_close(ours(ids_BF), theirs(ids_BF))


@pytest.mark.parametrize("option", ["cin_layers", "cin_maps"])
def test_refuses_to_be_without_interactions(option):
    with pytest.raises(ValueError, match=f"{option} is 0"):
        DICN(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, **{option: 0})
