"""Exported versions: the file says what the engine says, or there is no file."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.compact import CompactEmbedding
from models.registry import build
from mutualctr.data import features
from mutualctr.data.contract import Feature
from mutualctr.data.features import FeatureMap, Field
from mutualctr.errors import RegistryError
from mutualctr.registry import export
from mutualctr.training.predict import predict_ids

pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")


def served(precision: str) -> SimpleNamespace:
    """A DCN over two fields of six rows of the table each."""
    tokens, counts = pa.array(["a", "b", "c"]), pa.array([3, 2, 1], pa.int64())
    fields = tuple(
        Field(Feature(name=name, column=name, transform="category"), "text", tokens, counts)
        for name in ("x", "y")
    )
    torch.manual_seed(1)
    shape = {"num_ids": 12, "num_fields": 2, "embedding_dim": 4, "hidden": [8], "dropout": 0.0}
    model = build("dcn", **shape)
    with torch.no_grad():
        model.table.normal_()
    if precision != "fp32":
        model.embedding = CompactEmbedding(model.embedding, precision)
    return SimpleNamespace(
        features=FeatureMap(fields, min_count=1),
        model=model,
        predict_encoded=lambda ids_BF: predict_ids(model, ids_BF),
    )


@pytest.fixture
def exported(monkeypatch, tmp_path):
    def run(given):
        version = SimpleNamespace(name="ctr", version=3)
        monkeypatch.setattr(export, "find_version", lambda client, name: version)
        monkeypatch.setattr(export, "load_served", lambda client, version: given)
        return export.export_version(None, "ctr/3", tmp_path / "ctr.onnx")

    return run


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_the_file_gives_the_engines_probabilities(exported, precision, tmp_path):
    given = served(precision)
    folder, apart = exported(given)
    assert apart <= 1e-6
    assert (tmp_path / "ctr.onnx").exists()
    assert features.load(folder) == given.features


def test_a_file_that_says_something_else_is_not_kept(exported, tmp_path):
    given = served("fp32")
    given.predict_encoded = lambda ids_BF: np.full(len(ids_BF), 0.5)
    with pytest.raises(RegistryError, match="ctr/3 as ONNX differs by"):
        exported(given)
    assert not (tmp_path / "ctr.onnx").exists()
