"""DCN v1 against hand arithmetic, with a bias that tells the two placements apart."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.dcn import DCN, CrossNetwork


def test_the_bias_is_outside_the_product():
    # x_0 = x = (1, 2, 3, −1)   w = (1, 0, 1, 0)   b = (0, 1, 0, 0)
    # xᵀw = 1 + 3 = 4
    # outside: 4 x_0 + b + x = (5, 11, 15, −5); a head that looks at one place reads each of them
    # inside, x_0 (xᵀw + b) + x, would give 2 · 5 + 2 = 12 in the second place
    cross = CrossNetwork(4, layers=1)
    cross.load_state_dict(
        {
            "0.project.weight": torch.tensor([[1.0, 0.0, 1.0, 0.0]]),
            "0.bias": torch.tensor([0.0, 1.0, 0.0, 0.0]),
        }
    )
    x_BX = torch.tensor([[1.0, 2.0, 3.0, -1.0]])
    seen = [cross(x_BX, head_1X[None])[1].item() for head_1X in torch.eye(4)]
    assert seen == [5.0, 11.0, 15.0, -5.0]


@given(width=st.integers(1, 6), layers=st.integers(1, 4), seed=st.integers(0, 999))
def test_the_thin_product_equals_the_layers_one_by_one(width, layers, seed):
    torch.manual_seed(seed)
    cross = CrossNetwork(width, layers).double()
    for layer in cross:
        torch.nn.init.normal_(layer.bias)
    x0_BX = torch.randn(3, width, dtype=torch.float64, requires_grad=True)
    head_1X = torch.randn(1, width, dtype=torch.float64, requires_grad=True)
    x_BX = x0_BX
    for layer in cross:
        x_BX = x0_BX * layer.project(x_BX) + layer.bias + x_BX
    deep_BX, thin_B = cross(x0_BX, head_1X)
    # What an MLP does with x_0 adds to the gradient that comes through the layers.
    naive_B, thin_B = (x_BX @ head_1X.t()).squeeze(1) + x0_BX.prod(1), thin_B + deep_BX.prod(1)
    torch.testing.assert_close(thin_B, naive_B)
    # The last layer's bias reaches the logit and no product; every input has a gradient.
    inputs = [x0_BX, head_1X, *cross.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(thin_B.sum(), inputs), torch.autograd.grad(naive_B.sum(), inputs)
    )


def test_logit_by_hand():
    # v_1 = (1, 2), v_2 = (3, −1), so x_0 = (1, 2, 3, −1); two cross layers.
    # x_1 = (5, 11, 15, −5), as above
    # x_2: w = (0, 1, 0, 0), b = 0: x_1ᵀw = 11, x_2 = 11 x_0 + x_1 = (16, 33, 48, −16)
    # deep relu(1 + 2 + 3 − 1 − 4) = 1
    # head (1, 1, 1, 1 | 2), b = .5: 16 + 33 + 48 − 16 + 2 + .5 = 83.5
    model = DCN(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, cross_layers=2)
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0], [3.0, -1.0]]),
            "bias": torch.tensor([0.5]),
            "cross.0.project.weight": torch.tensor([[1.0, 0.0, 1.0, 0.0]]),
            "cross.0.bias": torch.tensor([0.0, 1.0, 0.0, 0.0]),
            "cross.1.project.weight": torch.tensor([[0.0, 1.0, 0.0, 0.0]]),
            "cross.1.bias": torch.zeros(4),
            "mlp.layers.0.weight": torch.ones(1, 4),
            "mlp.layers.0.bias": torch.tensor([-4.0]),
            "head.weight": torch.tensor([[1.0, 1.0, 1.0, 1.0, 2.0]]),
        }
    )
    assert model(torch.tensor([[0, 1]])).tolist() == [83.5]


def test_refuses_to_be_without_cross_layers():
    with pytest.raises(ValueError, match="cross_layers is 0"):
        DCN(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, cross_layers=0)
