"""xDeepFM's CIN against hand arithmetic and the loop over maps and fields."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.xdeepfm import CompressedInteraction, XDeepFM


def test_logit_by_hand():
    # v_1 = (1, 2), w_1 = .5      v_2 = (3, −1), w_2 = .25      b = .1; one map per layer
    # X¹, W = [[1, 2], [0, 1]]: (1, 4) + 2 (3, −2) + (9, 1) = (16, 1)
    # X², W = [[1], [−1]]:      v_1 ⊙ X¹ − v_2 ⊙ X¹ = (16, 2) − (48, −1) = (−32, 3)
    # CIN  1 · 17 + .5 · (−29) = 2.5
    # deep relu(1 + 2 + 3 − 1 − 4) = 1, times 2
    # logit .1 + .75 + 2.5 + 2 = 5.35
    model = XDeepFM(
        num_ids=2,
        num_fields=2,
        embedding_dim=2,
        hidden=(1,),
        dropout=0.0,
        cin_layers=2,
        cin_maps=1,
    )
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0, 0.5], [3.0, -1.0, 0.25]]),
            "bias": torch.tensor([0.1]),
            "cin.0.compress.weight": torch.tensor([[1.0, 2.0, 0.0, 1.0]]),
            "cin.1.compress.weight": torch.tensor([[1.0, -1.0]]),
            "cin_head.weight": torch.tensor([[1.0, 0.5]]),
            "mlp.layers.0.weight": torch.ones(1, 4),
            "mlp.layers.0.bias": torch.tensor([-4.0]),
            "head.weight": torch.tensor([[2.0]]),
        }
    )
    torch.testing.assert_close(model(torch.tensor([[0, 1]])), torch.tensor([5.35]))


@settings(max_examples=30)
@given(
    fields=st.integers(1, 5),
    in_maps=st.integers(1, 4),
    out_maps=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_a_layer_equals_the_loop_over_fields_and_maps(fields, in_maps, out_maps, seed):
    torch.manual_seed(seed)
    layer = CompressedInteraction(fields, in_maps, out_maps).double()
    emb_BFD = torch.randn(3, fields, 2, dtype=torch.float64)
    x_BGD = torch.randn(3, in_maps, 2, dtype=torch.float64)
    weight_HFG = layer.compress.weight.view(out_maps, fields, in_maps)
    naive_BHD = torch.zeros(3, out_maps, 2, dtype=torch.float64)
    for h in range(out_maps):
        for f in range(fields):
            for g in range(in_maps):
                naive_BHD[:, h] += weight_HFG[h, f, g] * emb_BFD[:, f] * x_BGD[:, g]
    torch.testing.assert_close(layer(emb_BFD, x_BGD), naive_BHD)


@pytest.mark.parametrize("option", ["cin_layers", "cin_maps"])
def test_refuses_to_be_without_a_cin(option):
    with pytest.raises(ValueError, match=f"{option} is 0"):
        XDeepFM(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, **{option: 0})
