"""½·λ·‖W‖² by hand."""

import pytest
import torch

from models.registry import build
from mutualctr.training.penalty import l2_penalty


def test_by_hand():
    # DeepFM, 3 ids, D = 1 and a first-order column: the table has 6 entries. All weights 2:
    # table ½·0.1·6·4 = 1.2. Dense matrices: 1 field·1 → 2 → 1, so 2 + 2 entries:
    # ½·0.01·4·4 = 0.08. Biases carry nothing.
    model = build("deepfm", num_ids=3, num_fields=1, embedding_dim=1, hidden=(2,), dropout=0.0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(2.0)
    assert l2_penalty(model, 0.1, 0.01).item() == pytest.approx(1.28)


def test_its_gradient_is_lambda_w():
    model = build("dcn", num_ids=5, num_fields=2, embedding_dim=3, hidden=(4,), dropout=0.0)
    l2_penalty(model, 0.1, 0.01).backward()
    assert torch.allclose(model.table.grad, 0.1 * model.table)
    for weight in model.dense_weights():
        assert torch.allclose(weight.grad, 0.01 * weight)
    biases = [p for p in model.dense_parameters() if p.ndim < 2]
    assert biases
    assert all(p.grad is None for p in biases)
