"""Bilinear pairs: hand arithmetic, then the naive loop over pairs against the fast form."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.bilinear import Bilinear, hidden_of_pairs
from models.pairs import pair_indices

SHARINGS = ["all", "each", "interaction"]
W = [[1.0, 2.0], [0.0, 1.0]]
IDENTITY = [[1.0, 0.0], [0.0, 1.0]]
TWICE = [[2.0, 0.0], [0.0, 2.0]]


def pairs_of(emb_BFD: torch.Tensor, *layers: Bilinear) -> torch.Tensor:
    """The pairs of each path, read off a layer that keeps them: x = relu(x) − relu(−x)."""
    width = sum(len(layer.matrix_P) for layer in layers) * emb_BFD.shape[2]
    dense = nn.Linear(width, 2 * width).to(emb_BFD.dtype)
    both = torch.cat([torch.eye(width), -torch.eye(width)])
    dense.load_state_dict({"weight": both, "bias": torch.zeros(2 * width)})
    plus, minus = hidden_of_pairs(dense, *((emb_BFD, layer) for layer in layers)).split(width, 1)
    return plus - minus


# v_1 = (1, 2)   v_2 = (3, −1)   v_3 = (2, 1)   v_1 W = (1, 2 + 2) = (1, 4)   v_2 W = (3, 6 − 1)
# two fields, one pair: (1, 4) ⊙ v_2 = (3, −4) under all three options
@pytest.mark.parametrize("sharing", SHARINGS)
def test_one_pair_by_hand(sharing):
    layer = Bilinear(2, 2, sharing)
    layer.load_state_dict({"weight": torch.tensor([W])})
    emb_BFD = torch.tensor([[[1.0, 2.0], [3.0, -1.0]]])
    assert pairs_of(emb_BFD, layer).tolist() == [[3.0, -4.0]]


# three fields, pairs 12 | 13 | 23
# all, W:                      (1, 4) ⊙ v_2 | (1, 4) ⊙ v_3 | (3, 5) ⊙ v_3  = 3 −4 | 2 4 | 6  5
# each, W for 1 and I for 2:   (1, 4) ⊙ v_2 | (1, 4) ⊙ v_3 | (3, −1) ⊙ v_3 = 3 −4 | 2 4 | 6 −1
# interaction, W, I and 2I:    (1, 4) ⊙ v_2 | (1, 2) ⊙ v_3 | (6, −2) ⊙ v_3 = 3 −4 | 2 2 | 12 −2
@pytest.mark.parametrize(
    ("sharing", "weight", "pairs"),
    [
        ("all", [W], [3.0, -4.0, 2.0, 4.0, 6.0, 5.0]),
        ("each", [W, IDENTITY], [3.0, -4.0, 2.0, 4.0, 6.0, -1.0]),
        ("interaction", [W, IDENTITY, TWICE], [3.0, -4.0, 2.0, 2.0, 12.0, -2.0]),
    ],
)
def test_three_pairs_by_hand(sharing, weight, pairs):
    layer = Bilinear(3, 2, sharing)
    layer.load_state_dict({"weight": torch.tensor(weight)})
    emb_BFD = torch.tensor([[[1.0, 2.0], [3.0, -1.0], [2.0, 1.0]]])
    assert pairs_of(emb_BFD, layer).tolist() == [pairs]


def naive_pairs(emb_BFD: torch.Tensor, layer: Bilinear, sharing: str) -> torch.Tensor:
    matrix = {
        "all": lambda pair, i: 0,
        "each": lambda pair, i: i,
        "interaction": lambda pair, i: pair,
    }[sharing]
    pairs = [
        (emb_BFD[:, i] @ layer.weight[matrix(pair, i)]) * emb_BFD[:, j]
        for pair, (i, j) in enumerate(combinations(range(emb_BFD.shape[1]), 2))
    ]
    return torch.cat(pairs, dim=1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    fields=st.integers(2, 6),
    dim=st.integers(1, 4),
    sharing=st.sampled_from(SHARINGS),
    seed=st.integers(0, 999),
)
def test_fast_equals_naive_forward_and_backward(fields, dim, sharing, seed):
    torch.manual_seed(seed)
    layer = Bilinear(fields, dim, sharing).double()
    # A strided view, as it comes out of a table with a first-order column.
    emb_BFD = torch.randn(3, fields, dim + 1, dtype=torch.float64)[:, :, :dim].requires_grad_()
    fast, naive = pairs_of(emb_BFD, layer), naive_pairs(emb_BFD, layer, sharing)
    torch.testing.assert_close(fast, naive)

    grad = torch.randn_like(naive)
    inputs = [emb_BFD, layer.weight]
    torch.testing.assert_close(
        torch.autograd.grad(fast, inputs, grad), torch.autograd.grad(naive, inputs, grad)
    )


@pytest.mark.parametrize("sharing", SHARINGS)
def test_two_paths_into_a_layer_are_the_naive_pairs_and_the_layer(sharing):
    torch.manual_seed(0)
    layers = [Bilinear(5, 3, sharing).double() for _ in range(2)]
    embs = [torch.randn(4, 5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    dense = nn.Linear(2 * 10 * 3, 7).double()
    fast = hidden_of_pairs(dense, *zip(embs, layers, strict=True))
    pairs = [naive_pairs(emb, layer, sharing) for emb, layer in zip(embs, layers, strict=True)]
    naive = dense(torch.cat(pairs, dim=1)).relu()
    torch.testing.assert_close(fast, naive)
    assert (naive == 0).any()
    assert (naive > 0).any()

    inputs, grad = [*embs, *(layer.weight for layer in layers), *dense.parameters()], naive + 1
    torch.testing.assert_close(
        torch.autograd.grad(fast, inputs, grad.detach()),
        torch.autograd.grad(naive, inputs, grad.detach()),
    )


@pytest.mark.parametrize("sharing", SHARINGS)
def test_backward_equals_finite_differences(sharing):
    torch.manual_seed(0)
    layer = Bilinear(4, 3, sharing).double()
    emb_BFD = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda emb_BFD: pairs_of(emb_BFD, layer), (emb_BFD,))


def test_every_matrix_starts_xavier_normal_on_its_own():
    torch.manual_seed(0)
    # 741 matrices of 16 × 16: std √(2 / (16 + 16)) = .25, whatever their number.
    weight = Bilinear(39, 16, "interaction").weight
    assert weight.shape == (741, 16, 16)
    assert abs(weight.std().item() - 0.25) < 0.005


def test_pairs_come_in_row_major_order():
    left_P, right_P = pair_indices(4)
    assert list(zip(left_P.tolist(), right_P.tolist(), strict=True)) == list(
        combinations(range(4), 2)
    )


def test_refuses_what_makes_no_pair():
    with pytest.raises(ValueError, match="at least two fields"):
        pair_indices(1)
    with pytest.raises(ValueError, match="bilinear is 'every'"):
        Bilinear(3, 2, "every")
