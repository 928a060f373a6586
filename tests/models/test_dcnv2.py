"""DCN-V2 against hand arithmetic, with a bias that only stands inside the product."""

import pytest
import torch

from models.dcnv2 import DCNv2


def test_logit_by_hand():
    # v_1 = (1, 2), v_2 = (3, −1), so x_0 = (1, 2, 3, −1); two cross layers.
    # W_0 x_0 = (1, 2, −1, 3), b_0 = (0, 1, 0, 0): x_0 ⊙ (1, 3, −1, 3) + x_0 = (2, 8, 0, −4)
    # W_1 = 0, b_1 = 1: x_0 + x_1 = (3, 10, 3, −5)
    # deep relu(1 + 2 + 3 − 1 − 4) = 1
    # head (1, 1, 1, 1 | 2), b = .5: 3 + 10 + 3 − 5 + 2 + .5 = 13.5
    model = DCNv2(
        num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, cross_layers=2
    )
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0], [3.0, -1.0]]),
            "bias": torch.tensor([0.5]),
            "cross.0.weight": torch.tensor(
                [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0], [1.0, 1.0, 0, 0]]
            ),
            "cross.0.bias": torch.tensor([0.0, 1.0, 0.0, 0.0]),
            "cross.1.weight": torch.zeros(4, 4),
            "cross.1.bias": torch.ones(4),
            "mlp.layers.0.weight": torch.ones(1, 4),
            "mlp.layers.0.bias": torch.tensor([-4.0]),
            "head.weight": torch.tensor([[1.0, 1.0, 1.0, 1.0, 2.0]]),
        }
    )
    assert model(torch.tensor([[0, 1]])).tolist() == [13.5]


def test_refuses_to_be_without_cross_layers():
    with pytest.raises(ValueError, match="cross_layers is 0"):
        DCNv2(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, cross_layers=0)
