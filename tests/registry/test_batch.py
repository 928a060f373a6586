"""Batch scoring: every row once, in order, with the contract's id beside it."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from mutualctr.data.content import ContentDigest
from mutualctr.data.contract import Contract, Feature
from mutualctr.data.event_files import file_name
from mutualctr.data.features import FeatureMap, Field
from mutualctr.errors import RegistryError
from mutualctr.reference import Events
from mutualctr.registry import batch
from mutualctr.registry.once import Artifact, version_once

CONTRACT = Contract.model_validate(
    {
        "name": "ads",
        "description": "two columns and an id",
        "format": {"delimiter": "tab", "header": True, "missing": ""},
        "time": "row",
        "columns": [
            {"name": "key", "type": "text", "role": "id"},
            {"name": "click", "type": "integer", "role": "label"},
            {"name": "colour", "type": "text", "role": "category"},
        ],
        "expectations": [],
        "common_features": [{"name": "colour", "column": "colour", "transform": "category"}],
        "alternatives": {},
    }
)


def feature_map(column: str) -> FeatureMap:
    feature = Feature(name=column, column=column, transform="category")
    tokens, counts = pa.array(["red", "blue"]), pa.array([2, 1], pa.int64())
    return FeatureMap((Field(feature, "text", tokens, counts),), min_count=1)


@pytest.fixture(scope="module")
def client(tracking_uri, tmp_path_factory) -> MlflowClient:
    client = MlflowClient(tracking_uri=tracking_uri)
    folder = tmp_path_factory.mktemp("batch")
    run = client.create_run(client.create_experiment(f"batch {folder}"))
    version_once(client, "batch", "a", lambda: Artifact(str(folder), run.info.run_id, None), {})
    return client


@pytest.fixture
def events(tmp_path) -> Events:
    """Two files of three row groups, without labels: nobody has clicked yet."""
    files = tmp_path / "events" / "files"
    files.mkdir(parents=True)
    colours = ["red", "blue", None, "gold", "red"]
    for number, (start, stop) in enumerate(((0, 3), (3, 5))):
        table = pa.table(
            {
                "row": pa.array(range(start + 1, stop + 1), pa.int64()),
                "key": [f"k{n}" for n in range(start, stop)],
                "colour": pa.array(colours[start:stop], pa.string()),
            }
        )
        pq.write_table(table, files / file_name(number), row_group_size=2)
    record = [
        {"file": "2026-03-01.tsv", "day": "2026-03-01", "sha256": "a", "first_row": 1, "rows": 3},
        {"file": "more.tsv", "day": None, "sha256": "b", "first_row": 4, "rows": 2},
    ]
    (tmp_path / "events" / "files.json").write_text(json.dumps(record))
    return Events.of(tmp_path / "events", source="ads.tsv", source_sha256="", rows=5)


def serve(monkeypatch, column: str) -> None:
    """A model whose probability is a tenth of the id."""
    served = SimpleNamespace(
        features=feature_map(column), predict_encoded=lambda ids_BF: ids_BF[:, 0] / 10.0
    )
    monkeypatch.setattr(batch, "load_served", lambda client, version: served)


def test_rows_in_are_rows_out(monkeypatch, client, events, tmp_path):
    serve(monkeypatch, "colour")
    out = tmp_path / "out"
    out.mkdir()
    scores = batch.score_events(client, "batch/1", events, CONTRACT.without_label(), out)
    assert (scores.rows, scores.model) == (5, "batch/1")
    table = pq.read_table(out / "scores.parquet")
    assert table.to_pydict() == {
        "row": [1, 2, 3, 4, 5],
        "key": ["k0", "k1", "k2", "k3", "k4"],
        "probability": [0.3, 0.4, 0.1, 0.2, 0.3],  # red, blue, missing, unseen, red
        "model_name": ["batch"] * 5,
        "model_version": [1] * 5,
    }
    assert table["probability"].type == pa.float64()
    assert np.isfinite(table["probability"].to_numpy()).all()
    written = json.loads((out / "partitions.json").read_text())
    assert written["columns"] == ["colour"]
    places = [(p["file"], p["day"], p["first_row"], p["rows"]) for p in written["partitions"]]
    assert places == [("2026-03-01.tsv", "2026-03-01", 1, 3), ("more.tsv", None, 4, 2)]
    for part, colours in zip(
        written["partitions"], (["red", "blue", None], ["gold", "red"]), strict=True
    ):
        digest = ContentDigest(["colour"])
        digest.add(pa.table({"colour": pa.array(colours, pa.string())}))
        assert part["content_sha256"] == digest.hexdigest()


def test_a_model_of_other_data_is_refused(monkeypatch, client, events, tmp_path):
    serve(monkeypatch, "site")
    with pytest.raises(RegistryError, match="batch/1 reads the column `site`, which contract ads"):
        batch.score_events(client, "batch/1", events, CONTRACT, tmp_path)
    assert not (tmp_path / "scores.parquet").exists()
