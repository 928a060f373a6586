"""AutoInt's interacting layer against hand arithmetic and the loop over heads and fields."""

from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import autoint
from models.autoint import AutoInt, Interacting


def test_logit_by_hand(monkeypatch):
    # v_1 = (1, 2), v_2 = (3, −1); one head of width 1, Q = (1, 0), K = (0, ln 2 / 3), V = (1, 0)
    # field 1: scores ln 2 / 3 · (2, −1), apart by ln 2: shares 2/3, 1/3; 2/3 · 1 + 1/3 · 3 = 5/3
    # field 2: three times those, apart by 3 ln 2: shares 8/9, 1/9; 8/9 · 1 + 1/9 · 3 = 11/9
    # with R = (0, 1): relu(5/3 + 2) = 11/3, relu(11/9 − 1) = 2/9; head (3, 9): 11 + 2 = 13
    # deep relu(1 + 2 + 3 − 1 − 4) = 1, times 2;  b = .5:  15.5
    monkeypatch.setattr(autoint, "HEAD_WIDTH", 1)
    model = AutoInt(
        num_ids=2,
        num_fields=2,
        embedding_dim=2,
        hidden=(1,),
        dropout=0.0,
        attention_layers=1,
        heads=1,
    )
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0], [3.0, -1.0]]),
            "bias": torch.tensor([0.5]),
            "attention.0.query.weight": torch.tensor([[1.0, 0.0]]),
            "attention.0.key.weight": torch.tensor([[0.0, log(2) / 3]]),
            "attention.0.value.weight": torch.tensor([[1.0, 0.0]]),
            "attention.0.residual.weight": torch.tensor([[0.0, 1.0]]),
            "attention_head.weight": torch.tensor([[3.0, 9.0]]),
            "mlp.layers.0.weight": torch.ones(1, 4),
            "mlp.layers.0.bias": torch.tensor([-4.0]),
            "head.weight": torch.tensor([[2.0]]),
        }
    )
    torch.testing.assert_close(model(torch.tensor([[0, 1]])), torch.tensor([15.5]))


@settings(max_examples=20)
@given(fields=st.integers(1, 4), heads=st.integers(1, 3), seed=st.integers(0, 999))
def test_a_layer_equals_the_loop_over_heads_and_fields(fields, heads, seed):
    torch.manual_seed(seed)
    layer = Interacting(3, heads).double()
    x_BFX = torch.randn(2, fields, 3, dtype=torch.float64)
    naive = []
    for i in range(fields):
        parts = []
        for h in range(heads):
            rows = slice(h * autoint.HEAD_WIDTH, (h + 1) * autoint.HEAD_WIDTH)
            query, key, value = (
                x_BFX @ projection.weight[rows].t()
                for projection in (layer.query, layer.key, layer.value)
            )
            scores = [(query[:, i] * key[:, j]).sum(dim=1).exp() for j in range(fields)]
            mixed = sum(scores[j][:, None] * value[:, j] for j in range(fields))
            parts.append(mixed / sum(scores)[:, None])
        residual = x_BFX[:, i] @ layer.residual.weight.t()
        naive.append((torch.cat(parts, dim=1) + residual).clamp(min=0))
    torch.testing.assert_close(layer(x_BFX), torch.stack(naive, dim=1))


@pytest.mark.parametrize("option", ["attention_layers", "heads"])
def test_refuses_to_be_without_attention(option):
    with pytest.raises(ValueError, match=f"{option} is 0"):
        AutoInt(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, **{option: 0})
