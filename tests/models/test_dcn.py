"""DCN v1 against hand arithmetic, with a bias that tells the two placements apart."""

import pytest
import torch

from models.dcn import DCN, CrossLayer


def test_cross_layer_adds_its_bias_outside_the_product():
    # x_0 = x = (1, 2, 3, −1)   w = (1, 0, 1, 0)   b = (0, 1, 0, 0)
    # xᵀw = 1 + 3 = 4
    # outside: 4 x_0 + b + x = (5, 11, 15, −5)
    # inside, x_0 (xᵀw + b) + x, would give 2 · 5 + 2 = 12 in the second place
    layer = CrossLayer(4)
    layer.load_state_dict(
        {
            "project.weight": torch.tensor([[1.0, 0.0, 1.0, 0.0]]),
            "bias": torch.tensor([0.0, 1.0, 0.0, 0.0]),
        }
    )
    x_BX = torch.tensor([[1.0, 2.0, 3.0, -1.0]])
    assert layer(x_BX, x_BX).tolist() == [[5.0, 11.0, 15.0, -5.0]]


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
