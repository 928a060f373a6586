"""FinalMLP's gates and fusion against hand arithmetic and the loop over products."""

from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.finalmlp import BilinearFusion, FieldGate, FinalMLP

COMMON = {"num_ids": 2, "num_fields": 2, "embedding_dim": 2, "hidden": (2,), "dropout": 0.0}


# z = (1, 2, 3, −1); gates 2σ(0) = 1 and 2σ(ln 3) = 1.5
# o_1: relu(1 + 2 + 3 − 1 − 4) = 1, relu(3) = 3;   o_2: relu(1.5) = 1.5, relu(1.5) = 1.5
# w_1 = (1, 1): 4;   w_2 = (2, 0): 3;   b = .5
# one part,  W = [[1, 0], [2, −1]]: (7, −3) · (1.5, 1.5) = 6          13.5
# two parts, W = 2 and 1:           2 · 1 · 1.5 + 1 · 3 · 1.5 = 7.5   15
@pytest.mark.parametrize(
    ("heads", "weight", "logit"),
    [(1, [[[1.0, 0.0], [2.0, -1.0]]], 13.5), (2, [[[2.0]], [[1.0]]], 15.0)],
)
def test_logit_by_hand(heads, weight, logit):
    model = FinalMLP(**COMMON, heads=heads)
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0], [3.0, -1.0]]),
            "bias": torch.tensor([0.5]),
            "gates.0.bias": torch.zeros(4),
            "gates.1.bias": torch.full((4,), log(3)),
            "streams.0.layers.0.weight": torch.tensor([[1.0, 1.0, 1.0, 1.0], [0, 0, 1.0, 0]]),
            "streams.0.layers.0.bias": torch.tensor([-4.0, 0.0]),
            "streams.1.layers.0.weight": torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, -1.0]]),
            "streams.1.layers.0.bias": torch.zeros(2),
            "fusion.first.weight": torch.tensor([[1.0, 1.0]]),
            "fusion.second.weight": torch.tensor([[2.0, 0.0]]),
            "fusion.weight": torch.tensor(weight),
        }
    )
    torch.testing.assert_close(model(torch.tensor([[0, 1]])), torch.tensor([logit]))


def test_a_field_gate_sees_its_own_field_only():
    torch.manual_seed(0)
    gate = FieldGate(1, embedding_dim=2, width=4)
    emb_BFD = torch.randn(3, 2, 2)
    other_BFD = emb_BFD.clone()
    other_BFD[:, 0] += 1
    assert torch.equal(gate(emb_BFD), gate(other_BFD))
    other_BFD[:, 1] += 1
    assert not torch.equal(gate(emb_BFD), gate(other_BFD))


def test_streams_read_different_leading_fields():
    model = FinalMLP(**COMMON, context="leading_fields")
    assert [gate.field for gate in model.gates] == [0, 1]


@settings(max_examples=20)
@given(heads=st.integers(1, 3), part=st.integers(1, 3), seed=st.integers(0, 999))
def test_fusion_equals_the_loop_over_products(heads, part, seed):
    torch.manual_seed(seed)
    fusion = BilinearFusion(heads * part, heads).double()
    x_BY, y_BY = torch.randn(2, 4, heads * part, dtype=torch.float64)
    naive_B = x_BY @ fusion.first.weight[0] + y_BY @ fusion.second.weight[0]
    for h in range(heads):
        for k in range(part):
            for m in range(part):
                product_B = x_BY[:, h * part + k] * y_BY[:, h * part + m]
                naive_B = naive_B + fusion.weight[h, k, m] * product_B
    torch.testing.assert_close(fusion(x_BY, y_BY), naive_B)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"heads is 3; .* last hidden layer's 2 units"):
        FinalMLP(**COMMON, heads=3)
    with pytest.raises(ValueError, match="context is 'user'"):
        FinalMLP(**COMMON, context="user")
    with pytest.raises(ValueError, match="only one field"):
        FinalMLP(**{**COMMON, "num_fields": 1}, context="leading_fields")
