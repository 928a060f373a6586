"""FiBiNET and its SENET against hand arithmetic; bilinear pairs have test_bilinear.py."""

import pytest
import torch

from models.fibinet import SENET, FiBiNET

V_1, V_2 = [1.0, 2.0], [3.0, -1.0]


def test_senet_by_hand():
    # means (1.5, 1); W₁ = (2, −1): relu(3 − 1) = 2; W₂ = (1, −1): relu(2, −2) = (2, 0)
    # V_1 = 2 v_1 = (2, 4), V_2 = 0
    senet = SENET(num_fields=2, reduction=3)
    senet.load_state_dict(
        {
            "squeeze.weight": torch.tensor([[2.0, -1.0]]),
            "excite.weight": torch.tensor([[1.0], [-1.0]]),
        }
    )
    assert senet(torch.tensor([[V_1, V_2]])).tolist() == [[[2.0, 4.0], [0.0, 0.0]]]


def test_senet_middle_layer_relu_by_hand():
    # W₁ = (−2, 1): relu(−3 + 1) = 0, so both fields are scaled by 0 although W₂ is negative.
    senet = SENET(num_fields=2, reduction=1)
    senet.load_state_dict(
        {
            "squeeze.weight": torch.tensor([[-2.0, 1.0], [-2.0, 1.0]]),
            "excite.weight": torch.full((2, 2), -1.0),
        }
    )
    assert senet(torch.tensor([[V_1, V_2]])).count_nonzero() == 0


@pytest.mark.parametrize(("reduction", "middle"), [(1, 39), (3, 13), (12, 3), (100, 1)])
def test_senet_middle_width(reduction, middle):
    assert SENET(39, reduction).squeeze.weight.shape == (middle, 39)


@pytest.mark.parametrize("bilinear", ["all", "each", "interaction"])
def test_logit_by_hand(bilinear):
    # first order .5 + .25 = .75
    # raw path, W = [[1, 2], [0, 1]]:  p = (v_1 W) ⊙ v_2 = (1, 4) ⊙ (3, −1) = (3, −4)
    # SENET: means (1.5, 1), W₁ = (2, −1) → 2, W₂ = (1, .5) → A = (2, 1)
    # weighted path, W' = I:  q = (2, 4) ⊙ (3, −1) = (6, −4)
    # deep relu(3 − 4 + 6 − 4) = 1, times 2;  logit .1 + .75 + 2 = 2.85
    model = FiBiNET(
        num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, bilinear=bilinear
    )
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[*V_1, 0.5], [*V_2, 0.25]]),
            "bias": torch.tensor([0.1]),
            "senet.squeeze.weight": torch.tensor([[2.0, -1.0]]),
            "senet.excite.weight": torch.tensor([[1.0], [0.5]]),
            "raw_pairs.weight": torch.tensor([[[1.0, 2.0], [0.0, 1.0]]]),
            "weighted_pairs.weight": torch.eye(2)[None],
            "mlp.layers.0.weight": torch.ones(1, 4),
            "mlp.layers.0.bias": torch.zeros(1),
            "head.weight": torch.tensor([[2.0]]),
        }
    )
    torch.testing.assert_close(model(torch.tensor([[0, 1]])), torch.tensor([2.85]))


def test_refuses_a_reduction_below_one():
    with pytest.raises(ValueError, match="reduction is 0"):
        SENET(4, 0)
