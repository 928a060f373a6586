"""The shared dense layers."""

import pytest
import torch

from models.mlp import MLP, linear
from models.precision import products_in


def test_two_hidden_layers_by_hand():
    # x = (1, 2): relu(1 + 2, 1 − 2) = (3, 0); relu(3 · 2 − 5) = 1
    mlp = MLP(2, (2, 1), dropout=0.0)
    mlp.load_state_dict(
        {
            "layers.0.weight": torch.tensor([[1.0, 1.0], [1.0, -1.0]]),
            "layers.0.bias": torch.zeros(2),
            "layers.3.weight": torch.tensor([[2.0, 9.0]]),
            "layers.3.bias": torch.tensor([-5.0]),
        }
    )
    assert mlp(torch.tensor([[1.0, 2.0]])).tolist() == [[1.0]]


@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
def test_an_input_in_parts_is_the_input_side_by_side(dtype):
    torch.manual_seed(0)
    mlp = MLP(7, (5, 3), dropout=0.0)
    parts = [torch.randn(4, width, requires_grad=True) for width in (2, 1, 4)]
    with products_in(dtype):
        hidden_BH, whole_BH = mlp(*parts), mlp(torch.cat(parts, dim=1))
        inputs = [*parts, *mlp.parameters()]
        ours, naive = (torch.autograd.grad(y.sum(), inputs) for y in (hidden_BH, whole_BH))
    close = {"rtol": 2e-2, "atol": 2e-2} if dtype else {}
    torch.testing.assert_close(hidden_BH, whole_BH, **close)
    torch.testing.assert_close(ours, naive, **close)


def test_dropout_is_drawn_in_training_and_off_in_evaluation():
    torch.manual_seed(0)
    mlp, x_BX = MLP(4, (64,), dropout=0.5), torch.randn(16, 4)
    assert not torch.equal(mlp(x_BX), mlp(x_BX))
    mlp.eval()
    assert torch.equal(mlp(x_BX), mlp(x_BX))


def test_starts_xavier_normal_with_zero_bias():
    torch.manual_seed(0)
    # std √(2 / (624 + 400)) = .0442
    layer = linear(624, 400, bias=True)
    assert abs(layer.weight.std().item() - (2 / 1024) ** 0.5) < 5e-4
    assert layer.bias.count_nonzero() == 0


def test_refuses_to_be_without_hidden_layers():
    with pytest.raises(ValueError, match="hidden is empty"):
        MLP(4, (), dropout=0.0)
