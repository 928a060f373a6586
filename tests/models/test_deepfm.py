"""DeepFM against hand arithmetic and a loop over pairs. The hand table is 2 fields × 2 dims."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.deepfm import DeepFM, _FirstLayerAndPairs


def test_logit_by_hand():
    # v_1 = (1, 2), w_1 = .5      v_2 = (3, −1), w_2 = .25      b = .1
    # first order  .5 + .25 = .75
    # second order ⟨v_1, v_2⟩ = 3 − 2 = 1
    # deep         relu(1 + 2 + 3 − 1 − 4) = 1, times 2 = 2
    # logit        .1 + .75 + 1 + 2 = 3.85
    model = DeepFM(num_ids=2, num_fields=2, embedding_dim=2, hidden=(1,), dropout=0.0)
    model.load_state_dict(
        {
            "embedding.weight": torch.tensor([[1.0, 2.0, 0.5], [3.0, -1.0, 0.25]]),
            "bias": torch.tensor([0.1]),
            "mlp.layers.0.weight": torch.ones(1, 4),
            "mlp.layers.0.bias": torch.tensor([-4.0]),
            "head.weight": torch.tensor([[2.0]]),
        }
    )
    torch.testing.assert_close(model(torch.tensor([[0, 1]])), torch.tensor([3.85]))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(fields=st.integers(1, 6), dim=st.integers(1, 5), seed=st.integers(0, 999))
def test_layer_and_pairs_equal_the_loop_over_pairs_forward_and_backward(fields, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = (3, fields, dim), (4, fields * dim), (4,)
    inputs = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
    emb_BFD, weight_YX, bias_Y = (tensor.requires_grad_() for tensor in inputs)
    naive_B = torch.zeros(3, dtype=torch.float64)
    for i in range(fields):
        for j in range(i + 1, fields):
            naive_B = naive_B + (emb_BFD[:, i] * emb_BFD[:, j]).sum(dim=1)
    naive_BY = torch.relu(emb_BFD.flatten(1) @ weight_YX.t() + bias_Y)
    hidden_BY, pairs_B = _FirstLayerAndPairs.apply(emb_BFD, weight_YX, bias_Y)
    torch.testing.assert_close(hidden_BY, naive_BY)
    torch.testing.assert_close(pairs_B, naive_B)
    grads = torch.randn_like(hidden_BY), torch.randn_like(pairs_B)
    before = [grad.clone() for grad in grads]
    ours, naive = (
        torch.autograd.grad(outputs, inputs, grads, allow_unused=True)
        for outputs in ((hidden_BY, pairs_B), (naive_BY, naive_B + 0 * emb_BFD.sum()))
    )
    torch.testing.assert_close(ours, naive)
    # What autograd gave is not written over.
    assert all(torch.equal(one, other) for one, other in zip(grads, before, strict=True))
