"""ONNX says what torch says, for every registered architecture and any number of rows."""

import numpy as np
import pytest
import torch
from torch import nn

from models.registry import ARCHITECTURES, build
from models.sequence import Sequence
from mutualctr.errors import StackError
from mutualctr.registry.onnx_export import export_onnx

FIELDS, PER_FIELD = 5, 8
ITEMS = Sequence(start=3, length=2, target=2, padding_id=2 * PER_FIELD)


def model_of(architecture: str) -> nn.Module:
    torch.manual_seed(0)
    model = build(
        architecture,
        num_ids=3 * PER_FIELD,
        num_fields=FIELDS,
        embedding_dim=4,
        hidden=(8, 6),
        dropout=0.5,
        sequences=(ITEMS,),
    )
    with torch.no_grad():
        model.table.normal_(std=0.5)
        model.table[ITEMS.padding_id] = 0.0
        model.bias.fill_(0.3)
    return model


class Zoo(nn.Module):
    """All architectures in one graph: logit_BA. Most of an export's time is its preparation."""

    def __init__(self):
        super().__init__()
        self.models = nn.ModuleList(map(model_of, ARCHITECTURES))

    def forward(self, ids_BF):
        return torch.stack([model(ids_BF) for model in self.models], dim=1)


def clicks(rows: int) -> torch.Tensor:
    field_F = torch.tensor([0, 1, 2, 2, 2])
    generator = torch.Generator().manual_seed(rows)
    ids_BF = torch.randint(1, PER_FIELD, (rows, FIELDS), generator=generator) + PER_FIELD * field_F
    ids_BF[::3, ITEMS.start :] = ITEMS.padding_id
    ids_BF[1::3, ITEMS.start] = ITEMS.padding_id
    return ids_BF.int()


def test_every_architecture_gives_the_same_logits(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
    zoo = Zoo()
    export_onnx(zoo, FIELDS, tmp_path / "zoo.onnx")
    assert zoo.training
    zoo.eval()
    session = onnxruntime.InferenceSession(tmp_path / "zoo.onnx")
    for rows in (1, 2, 50):
        ids_BF = clicks(rows)
        with torch.inference_mode():
            expected_BA = zoo(ids_BF).numpy()
        (found_BA,) = session.run(None, {"ids": ids_BF.numpy()})
        for n, architecture in enumerate(ARCHITECTURES):
            difference = np.abs(found_BA[:, n] - expected_BA[:, n]).max()
            assert difference < 1e-5, f"{architecture} differs by {difference}"
    assert (expected_BA.std(axis=0) > 1e-3).all(), "logits that hardly differ would always agree"


def test_names_and_types_of_one_peer(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
    export_onnx(model_of("deepfm"), FIELDS, tmp_path / "peer.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["peer.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "peer.onnx")
    (ids,), (logit,) = session.get_inputs(), session.get_outputs()
    assert (ids.name, ids.type, ids.shape) == ("ids", "tensor(int32)", ["rows", FIELDS])
    assert (logit.name, logit.type, logit.shape) == ("logit", "tensor(float)", ["rows"])


def test_names_the_extra_where_it_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr("mutualctr.registry.onnx_export.find_spec", lambda package: None)
    with pytest.raises(StackError, match=r"needs onnx and onnxscript; .*'mutualctr\[onnx\]'"):
        export_onnx(model_of("deepfm"), FIELDS, tmp_path / "peer.onnx")
    assert not any(tmp_path.iterdir())


def test_a_graph_for_one_size_of_batch_is_refused(tmp_path):
    pytest.importorskip("onnxscript", reason="the onnx extra is not installed")

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x_B):
            return (2 * x_B).view(len(x_B))  # len makes a constant of the traced size

    class Fixed(nn.Module):
        def forward(self, ids_BF):
            return Twice.apply(ids_BF.float().sum(dim=1))

    with pytest.raises(AssertionError, match="fixed the number of rows"):
        export_onnx(Fixed(), FIELDS, tmp_path / "peer.onnx")
