"""PNN's two products against hand arithmetic and loops. The hand table is 2 fields × 2 dims."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.pnn import PNN, InnerProduct, OuterProduct


def hand_model(product: str, first_layer: list[float], layer_bias: float, head: float) -> PNN:
    """v_1 = (1, 2), v_2 = (3, −1), b = .5."""
    model = PNN(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, product=product)
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0], [3.0, -1.0]]),
            "bias": torch.tensor([0.5]),
            "mlp.layers.0.weight": torch.tensor([first_layer]),
            "mlp.layers.0.bias": torch.tensor([layer_bias]),
            "head.weight": torch.tensor([[head]]),
        }
    )
    return model


def test_inner_logit_by_hand():
    # z = (1, 2, 3, −1), p = ⟨v_1, v_2⟩ = 3 − 2 = 1
    # relu(1 + 2 + 3 − 1 + 10 · 1 − 4) = 11, times 2, plus .5 = 22.5
    model = hand_model("inner", [1.0, 1.0, 1.0, 1.0, 10.0], -4.0, 2.0)
    assert model(torch.tensor([[0, 1]])).tolist() == [22.5]


def test_outer_logit_by_hand():
    # Σ v = (4, 1), so P = [[16, 4], [4, 1]] and p = (16, 4, 1)
    # relu(1 + 2 + 3 − 1 + 16 + 10 · 4 + 100 · 1 − 1) = 160, times .5, plus .5 = 80.5
    model = hand_model("outer", [1.0, 1.0, 1.0, 1.0, 1.0, 10.0, 100.0], -1.0, 0.5)
    assert model(torch.tensor([[0, 1]])).tolist() == [80.5]


def embeddings(fields: int, dim: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, fields, dim, dtype=torch.float64, generator=generator)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(fields=st.integers(2, 6), dim=st.integers(1, 5), seed=st.integers(0, 999))
def test_inner_equals_the_loop_over_pairs(fields, dim, seed):
    emb_BFD = embeddings(fields, dim, seed)
    naive = [
        (emb_BFD[:, i] * emb_BFD[:, j]).sum(dim=1)
        for i in range(fields)
        for j in range(i + 1, fields)
    ]
    torch.testing.assert_close(InnerProduct(fields)(emb_BFD), torch.stack(naive, dim=1))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(fields=st.integers(2, 6), dim=st.integers(1, 5), seed=st.integers(0, 999))
def test_outer_equals_the_sum_of_all_outer_products(fields, dim, seed):
    # The PNN paper's form before pooling: Σ_i Σ_j v_i v_jᵀ, i = j included.
    emb_BFD = embeddings(fields, dim, seed)
    total_BDD = sum(
        emb_BFD[:, i, :, None] * emb_BFD[:, j, None, :]
        for i in range(fields)
        for j in range(fields)
    )
    naive = [total_BDD[:, d, e] for d in range(dim) for e in range(d, dim)]
    torch.testing.assert_close(OuterProduct(dim)(emb_BFD), torch.stack(naive, dim=1))


def test_refuses_an_unknown_product():
    with pytest.raises(ValueError, match="product is 'iner'"):
        PNN(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0, product="iner")
