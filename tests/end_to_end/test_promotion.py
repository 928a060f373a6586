"""From a finished run to traffic, through the real commands: gate, rollback, scoring, serving."""

import html
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from small import Finished, run_command, score_config, small_config

from mutualctr.data.synthetic import generate_criteo
from mutualctr.registry.trained_on import score_bins, training_snapshot

BIN = Path(sys.executable).parent
COLUMNS = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]


def gate_config(**promotion):
    content = small_config()
    content["parameters"]["registry"] = {"prefix": "gate"}
    content["parameters"]["promotion"] |= promotion
    return content


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    generate_criteo(folder / "clicks.tsv", rows=6000, seed=7)
    lines = (folder / "clicks.tsv").read_text().splitlines(keepends=True)[:2500]
    (folder / "today.tsv").write_text("".join(lines))
    (folder / "unlabelled.tsv").write_text("".join(line.partition("\t")[2] for line in lines))
    return folder


@pytest.fixture(scope="module")
def client(tracking_uri) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking_uri)


@pytest.fixture(scope="module")
def first(tmp_path_factory, data, tracking_uri) -> Finished:
    finished = run_command(gate_config(), tmp_path_factory.mktemp("first"), data)
    assert finished.code == 0, finished.output
    return finished


@pytest.fixture(scope="module")
def second(first, tmp_path_factory, data) -> Finished:
    """Another vocabulary and a table of bytes, against the first champion."""
    content = gate_config(embeddings="int8")
    content["parameters"]["features"]["min_count"] = 3
    finished = run_command(content, tmp_path_factory.mktemp("second"), data)
    assert finished.code == 0, finished.output
    return finished


def verdicts(finished: Finished) -> dict:
    return {v["rule"]: v for v in finished.report["promotion"]["verdicts"]}


def served(client) -> dict[str, int]:
    return {a: int(v) for a, v in client.get_registered_model("gate").aliases.items()}


def mutualctr(*arguments: str) -> str:
    done = subprocess.run(
        [BIN / "mutualctr", *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_first_run_has_no_champion_and_makes_one(first, client):
    gate = first.report["promotion"]
    assert (gate["decision"], gate["version"], gate["champion"]) == ("promoted", 1, None)
    assert set(verdicts(first)) == {"smoke", "auc", "pcoc", "latency"}
    assert "is the first champion" in first.output
    aucs = {c["peer"]: c["dev_auc"] for c in gate["candidates"]}
    assert gate["chosen"]["peer"] == max(aucs, key=aucs.get)
    page = (first.folder / "outputs" / "latest" / "promotion.html").read_text()
    assert "<script" not in page
    report = (first.folder / "outputs" / "latest" / "report.html").read_text()
    for verdict in gate["verdicts"]:
        assert html.escape(verdict["found"]) in report
    version = client.get_model_version("gate", 1)
    assert sum(score_bins(version).shares) == pytest.approx(1)
    assert training_snapshot(client, version).rows == 6000
    assert version.tags["gate"] == "promoted"
    assert version.tags["gate.smoke"].startswith("kept: at most ")
    for words in ("SHA-256", "| **mutual** |", "rule smoke", "Limits", "[gate](#/experiments/"):
        assert words in version.description
    assert "@champion" in client.get_registered_model("gate").description
    parent = client.search_runs(
        [client.get_experiment_by_name("dml_finetune").experiment_id],
        "params.`registry.prefix` = 'gate'",
    )[0]
    names = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"promotion.json", "promotion.html"} <= names
    kept = mlflow.artifacts.load_text(f"{parent.info.artifact_uri}/report.html")
    assert kept == report


def test_the_champion_answers_the_same_rows_through_its_own_vocabulary(first, second, client):
    gate, rules = second.report["promotion"], verdicts(second)
    assert gate["decision"] == "promoted", gate["sentence"]
    assert (gate["version"], gate["champion"]) == (2, 1)
    chosen = first.report["promotion"]["chosen"]
    assert rules["auc_gain"]["numbers"]["champion_auc"] == pytest.approx(chosen["auc"], abs=1e-6)
    gain = rules["auc_gain"]["numbers"]
    assert gain["delta"] == pytest.approx(gate["chosen"]["auc"] - chosen["auc"], abs=1e-6)
    assert gain["low"] < gain["delta"] < gain["high"]
    assert {"logloss", "score_drift", "not_rolled_back"} < set(rules)
    assert gate["chosen"]["embeddings"] == "int8"
    assert gate["chosen"]["served_bytes"] < 0.6 * gate["chosen"]["weights_bytes"]
    assert abs(gate["chosen"]["auc_cost"]) < 0.01
    assert served(client) == {"champion": 2, "previous": 1}


def test_a_file_is_scored_with_and_without_labels(second, data, tmp_path, tracking_uri):
    mlflow.set_tracking_uri(tracking_uri)
    model = mlflow.pyfunc.load_model("models:/gate/2")
    raw = pd.read_csv(data / "today.tsv", sep="\t", names=COLUMNS, dtype=str, keep_default_na=False)
    expected_B = model.predict(raw.drop(columns="label"))
    for source, labelled in (("today.tsv", True), ("unlabelled.tsv", False)):
        folder = tmp_path / source
        folder.mkdir()
        content = score_config(source, "gate@champion", labelled)
        finished = run_command(content, folder, data, "dml_score")
        assert finished.code == 0, finished.output
        assert "2,500 rows scored by gate/2" in finished.output
        (written,) = folder.glob("outputs/*/scores.parquet")
        table = pq.read_table(written)
        assert table.column_names == ["row", "probability", "model_name", "model_version"]
        assert table["row"].to_pylist() == list(range(1, 2501))
        # The last bit of a logit depends on how many rows share a batch.
        np.testing.assert_allclose(table["probability"].to_numpy(), expected_B, atol=1e-9)
        assert set(table["model_name"].to_pylist()) == {"gate"}
        assert set(table["model_version"].to_pylist()) == {2}


def test_a_file_that_breaks_the_contract_is_not_scored(second, data, tmp_path):
    content = score_config("unlabelled.tsv", "gate@champion", labelled=True)
    finished = run_command(content, tmp_path, data, "dml_score")
    assert finished.code == 1
    assert "line 1 has 39 columns where contract criteo expects 40" in finished.output
    assert "Traceback" not in finished.output
    assert not list(tmp_path.glob("outputs/*"))


def test_the_champion_answers_over_http(second, data, tracking_uri, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [BIN / "mlflow", "models", "serve", "-m", "models:/gate@champion"]
    server = subprocess.Popen(
        [*command, "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)],
        env=os.environ | {"MLFLOW_TRACKING_URI": tracking_uri},
        stdout=(tmp_path / "log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd=tmp_path,
    )
    try:
        for _ in range(600):
            assert server.poll() is None, (tmp_path / "log").read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raw = pd.read_csv(data / "today.tsv", sep="\t", names=COLUMNS, nrows=3)
        rows = raw.drop(columns="label").astype(object).where(raw.notna(), None)
        body = {"dataframe_split": rows.to_dict(orient="split", index=False)}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)["predictions"]
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)
    mlflow.set_tracking_uri(tracking_uri)
    expected_B = mlflow.pyfunc.load_model("models:/gate/2").predict(raw.drop(columns="label"))
    np.testing.assert_allclose(answer, expected_B, atol=1e-9)


def test_models_are_listed_compared_and_rolled_back(second, first, data, client, tmp_path):
    listed = mutualctr("models", "list")
    assert "champion" in listed
    assert "gate-deepfm" in listed
    assert "kept all 9 rules" in " ".join(mutualctr("models", "show", "gate").split())
    compared = mutualctr("models", "compare", "gate", "gate@previous")
    gain = verdicts(second)["auc_gain"]["numbers"]
    assert f"{gain['delta']:+.5f}, 95 % interval {gain['low']:+.5f}" in compared
    rolled = mutualctr("models", "rollback", "gate")
    assert "gate/1 serves again instead of gate/2" in rolled
    assert served(client) == {"champion": 1}
    # The same night's run again: everything is cached but the registry, and the gate remembers.
    content = gate_config(embeddings="int8")
    content["parameters"]["features"]["min_count"] = 3
    again = run_command(content, tmp_path, data)
    assert again.code == 0, again.output
    assert again.started == ["register", "promote"]
    assert "gate/2 failed not_rolled_back; gate/1 stays champion." in again.output
    assert served(client) == {"champion": 1, "challenger": 2}
    assert len(client.search_model_versions("name = 'gate'")) == 2
    assert "gate/2 serves instead of gate/1" in mutualctr("models", "promote", "gate/2")
    assert served(client) == {"champion": 2, "previous": 1}
