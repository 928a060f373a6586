"""Compact tables: rounding by hand, bounds, and the same interface as the full one."""

import pytest
import torch

from models.compact import CompactEmbedding
from models.embedding import FieldEmbedding
from models.registry import ARCHITECTURES, build
from models.sequence import Sequence


def full_table(weight_VE) -> FieldEmbedding:
    embedding = FieldEmbedding(len(weight_VE), len(weight_VE[0]), first_order=False)
    embedding.weight.data = torch.tensor(weight_VE)
    return embedding


def test_int8_by_hand():
    compact = CompactEmbedding(full_table([[1.27, -0.635], [0.0, 0.0]]), "int8")
    assert compact.weight.tolist() == [[127, -64], [0, 0]]  # −63.5 rounds to even
    emb_BFD, _ = compact(torch.tensor([[0, 1]], dtype=torch.int32))
    torch.testing.assert_close(emb_BFD, torch.tensor([[[1.27, -0.64], [0.0, 0.0]]]))


def test_rounding_is_bounded():
    torch.manual_seed(1)
    full = FieldEmbedding(50, 8, first_order=True)
    ids_BF = torch.arange(50).view(10, 5)
    exact_BFE = full.rows(ids_BF)
    bf16_BFE = CompactEmbedding(full, "bf16").rows(ids_BF)
    assert (bf16_BFE - exact_BFE).abs().le(exact_BFE.abs() / 256).all()
    int8_BFE = CompactEmbedding(full, "int8").rows(ids_BF)
    half_step_BF1 = exact_BFE.abs().amax(-1, keepdim=True) / 127 / 2
    assert (int8_BFE - exact_BFE).abs().le(half_step_BF1 * 1.001).all()


@pytest.mark.parametrize("precision", ["bf16", "int8"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_runs_on_it(architecture, precision):
    torch.manual_seed(1)
    shape = {"num_ids": 40, "num_fields": 4, "embedding_dim": 4, "hidden": [8], "dropout": 0.0}
    items = Sequence(start=2, length=2, target=1, padding_id=10)
    model = build(architecture, **shape, sequences=(items,)).eval()
    model.embedding.weight.data.normal_()
    ids_BF = torch.randint(40, (16, 4), dtype=torch.int32)
    with torch.inference_mode():
        exact_B = model(ids_BF)
        model.embedding = CompactEmbedding(model.embedding, precision)
        compact_B = model(ids_BF)
    assert compact_B.dtype == torch.float32
    assert not torch.equal(compact_B, exact_B)
    torch.testing.assert_close(compact_B, exact_B, rtol=0.1, atol=0.1)
