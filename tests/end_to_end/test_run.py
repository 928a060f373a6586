"""`zenml pipeline run dml_finetune`, from a raw file to registered models, in real processes."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from small import run_command, small_config

from mutualctr.data.synthetic import generate_criteo

STEPS = [
    "ingest",
    "validate",
    "split",
    "encode",
    "pretrain_dcn_0",
    "pretrain_deepfm_0",
    "mutual_finetune",
    "control_finetune",
    "evaluate",
    "register",
    "promote",
]
COLUMNS = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]
PHASES = {"pretrained", "control", "mutual"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    generate_criteo(folder / "clicks.tsv", rows=6000, seed=3)
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory, data, tracking_uri):
    finished = run_command(small_config(), tmp_path_factory.mktemp("first"), data)
    assert finished.code == 0, finished.output
    return finished


@pytest.fixture(scope="module")
def client(tracking_uri) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking_uri)


@pytest.fixture(scope="module")
def versions(first, client):
    found = client.search_model_versions("name like 'small-%'")
    return {(v.tags["peer"], v.tags["phase"]): v for v in found}


def test_every_step_ran_in_order(first):
    assert first.started == STEPS


def test_the_table_and_where_to_look_next(first):
    for words in ("pretrain deepfm seed 1", "Test scores", "deepfm-0", "dcn-0", "ensemble"):
        assert words in first.output
    assert "baseline" in first.output
    assert "outputs/latest/report.html" in first.output
    assert "make ui" in first.output


def test_the_report_has_every_part(first):
    report = first.report
    assert report["rows"] == {"train": 4800, "dev": 600, "test": 600}
    assert report["dataset"]["source"] == "clicks.tsv"
    assert {peer["name"] for peer in report["peers"]} == {"deepfm-0", "dcn-0"}
    for arm in PHASES:
        assert len(report["arms"][arm]) == 2
        for entry in report["arms"][arm]:
            assert set(entry) == {
                "peer", "architecture", "seed", "auc", "logloss", "pcoc", "ece", "relaimp",
            }  # fmt: skip
            assert 0.4 < entry["auc"] < 0.9
        assert len(report["ensembles"][arm]) == 1
    for comparison in ("mutual_vs_pretrained", "mutual_vs_control"):
        (whole,) = report["delta_auc"][comparison]["delong"]["per_group"]
        assert whole["low"] < whole["delta"] < whole["high"]
    assert report["baseline"]["rows"] == 4800
    assert report["config"]["finetuning"]["space"] == "soft_bce"
    assert len(report["versions"]["lock_sha256"]) == 64
    latest = first.folder / "outputs" / "latest"
    assert {path.name for path in latest.iterdir()} == {
        "report.json", "report.html", "report.md", "promotion.json", "promotion.html",
    }  # fmt: skip
    html = (latest / "report.html").read_text()
    assert "<svg" in html or "data:image" in html
    for outside in ("<script src", "<link", 'src="http', "url(http"):
        assert outside not in html


def test_zenml_shows_the_pages(first):
    run = pipeline_run(first)
    shown = {
        ("evaluate", "report"): {"report.html"},
        ("validate", "validation"): {"validation.html"},
        ("promote", "promotion"): {"promotion.html", "report.html"},  # now with its verdicts
    }
    for (step, output), names in shown.items():
        (artifact,) = run.steps[step].outputs[output]
        pages = [Path(str(v.uri)) for v in artifact.visualizations if v.type.value == "html"]
        assert {page.name for page in pages} == names
        assert all(page.read_text().startswith("<!") for page in pages)


def test_mlflow_has_a_parent_and_a_child_per_peer_and_phase(first, client):
    experiment = client.get_experiment_by_name("dml_finetune")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    parent = next(run for run in parents if run.data.params["registry.prefix"] == "small")
    assert parent.data.tags["data.sha256"] == first.report["dataset"]["sha256"]
    assert parent.data.tags["git_commit"]
    assert len(parent.data.tags["lock_sha256"]) == 64
    assert parent.inputs.dataset_inputs[0].dataset.name == "criteo"
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} >= {
        "report.html", "report.json", "report.md",
    }  # fmt: skip
    children = [
        run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    ]
    named = {(run.data.tags["peer"], run.data.tags["phase"]) for run in children}
    assert named == {(peer, phase) for peer in ("deepfm-0", "dcn-0") for phase in PHASES}
    for run in children:
        assert run.info.status == "FINISHED"
        assert run.data.params["optimizer.batch_rows"] == "1000"
        assert run.data.params["machine.products"] in ("fp32", "bf16")
        epochs = [metric.step for metric in client.get_metric_history(run.info.run_id, "dev_auc")]
        assert epochs == ([1, 2] if run.data.tags["phase"] == "pretrained" else [0, 1])
        assert "test_auc" in run.data.metrics
        assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["learning_curve.png"]


def test_every_model_is_a_version_with_tags(first, versions):
    assert set(versions) == {(p, phase) for p in ("deepfm-0", "dcn-0") for phase in PHASES}
    aucs = {(e["peer"], arm): e["auc"] for arm in PHASES for e in first.report["arms"][arm]}
    for key, version in versions.items():
        assert version.name == f"small-{key[0].split('-')[0]}"
        assert float(version.tags["auc"]) == aucs[key]
        assert version.tags["cohort"] == "deepfm+dcn"
        assert version.tags["seed"] in ("1", "2")
        assert version.tags["pipeline_run"].startswith("small-")


def test_a_version_scores_raw_rows_like_the_pipeline(first, versions, data, tracking_uri):
    mlflow.set_tracking_uri(tracking_uri)
    parts = split_parts(first)
    raw = pd.read_csv(
        data / "clicks.tsv", sep="\t", names=COLUMNS, dtype=str, keep_default_na=False
    )
    test_rows = raw[parts == 2]
    for (peer, phase), version in versions.items():
        model = mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}")
        probability_B = model.predict(test_rows.drop(columns="label"))
        expected = next(e for e in first.report["arms"][phase] if e["peer"] == peer)
        label_B = test_rows["label"].astype(int).to_numpy()
        logloss = -np.where(label_B, np.log(probability_B), np.log1p(-probability_B)).mean()
        assert abs(logloss - expected["logloss"]) < 1e-9
    frame = pd.read_csv(data / "clicks.tsv", sep="\t", names=COLUMNS)[parts == 2]
    assert np.array_equal(model.predict(frame.drop(columns="label")), probability_B)
    unseen = test_rows.assign(C1="ffffffff", C2=None, I1=float("nan"), I2=-3).head(5)
    probability_B = model.predict(unseen.drop(columns="label"))
    assert ((probability_B > 0) & (probability_B < 1)).all()


def test_a_version_needs_nothing_but_the_registry(versions, data, tracking_uri, tmp_path):
    version = versions["deepfm-0", "mutual"]
    script = (
        "import sys, mlflow, pandas as pd\n"
        f"mlflow.set_tracking_uri({tracking_uri!r})\n"
        f"model = mlflow.pyfunc.load_model('models:/{version.name}/{version.version}')\n"
        f"frame = pd.DataFrame([[''] * 40], columns={COLUMNS!r})\n"
        "print(float(model.predict(frame)[0]))\n"
        "import mutualctr; assert 'artifacts/code' in mutualctr.__file__, mutualctr.__file__\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout.split()[-1]) < 1


def test_nothing_on_disk_is_a_pickle(first, versions):
    store = Path(os.environ["ZENML_CONFIG_PATH"])
    files = [path for path in store.rglob("*") if path.is_file()]
    assert len(files) > 50
    suspects = [path for path in files if path.suffix in (".pkl", ".pickle", ".pt", ".pth")]
    assert suspects == []
    starts = [path for path in files if path.open("rb").read(2) in (b"\x80\x04", b"\x80\x05")]
    assert starts == []


def test_another_finetune_rate_repeats_neither_ingest_nor_pretraining(first, data, tmp_path):
    content = small_config()
    content["parameters"]["finetuning"]["lr"] = 1e-4
    again = run_command(content, tmp_path, data)
    assert again.code == 0, again.output
    assert again.started == STEPS[6:]
    assert sorted(again.cached) == sorted(STEPS[:6])


def test_a_further_peer_pretrains_only_itself(first, data, tmp_path, client):
    pretrained = "name like 'small-%' and tags.phase = 'pretrained'"
    before = len(client.search_model_versions(pretrained))
    content = small_config()
    content["parameters"]["peers"].append({"architecture": "deepfm", "seed": 5})
    again = run_command(content, tmp_path, data)
    assert again.code == 0, again.output
    assert again.started == ["pretrain_deepfm_1", *STEPS[6:]]
    # the two old pretrained models keep their versions
    assert len(client.search_model_versions(pretrained)) == before + 1


def test_one_pass_over_the_rows_gives_the_same_models(first, data, tmp_path, client):
    registered = "name like 'small-%'"
    before = len(client.search_model_versions(registered))
    content = small_config()
    content["parameters"]["pretraining"]["together"] = True
    again = run_command(content, tmp_path, data)
    assert again.code == 0, again.output
    assert again.started == ["pretrain_together", *STEPS[6:]]
    for part in ("rows", "arms", "ensembles", "delta_auc", "curves"):
        assert again.report[part] == first.report[part], part
    assert len(client.search_model_versions(registered)) == before


def test_other_content_in_the_same_file_repeats_everything(first, data, tmp_path):
    other = tmp_path / "data"
    other.mkdir()
    generate_criteo(other / "clicks.tsv", rows=6000, seed=4)
    again = run_command(small_config(), tmp_path, other)
    assert again.code == 0, again.output
    assert again.started == STEPS
    assert again.report["dataset"]["sha256"] != first.report["dataset"]["sha256"]


def test_the_same_seed_gives_the_same_numbers_to_the_last_bit(first, data, tmp_path):
    content = small_config() | {"enable_cache": False}
    again = run_command(content, tmp_path, data)
    assert again.code == 0, again.output
    assert again.started == STEPS
    same = ("dataset", "rows", "arms", "ensembles", "delta_auc", "agreement", "curves", "baseline")
    for part in same:
        assert again.report[part] == first.report[part], part


def test_groups_repeat_the_cohort(data, tracking_uri, tmp_path):
    content = small_config()
    content["parameters"]["groups"] = 2
    finished = run_command(content, tmp_path, data)
    assert finished.code == 0, finished.output
    report = finished.report
    names = [peer["name"] for peer in report["peers"]]
    assert names == ["g0-deepfm-0", "g0-dcn-0", "g1-deepfm-0", "g1-dcn-0"]
    groups = report["delta_auc"]["mutual_vs_control"]["groups"]
    assert groups["n"] == 2
    assert groups["low"] < groups["mean"] < groups["high"]
    assert "mutual_finetune_g1" in finished.started


def pipeline_run(finished):
    """ZenML's record of the run, by the name that its outputs folder has."""
    from zenml.client import Client

    return Client().get_pipeline_run((finished.folder / "outputs" / "latest").readlink().name)


def split_parts(finished) -> np.ndarray:
    """The part of each row, out of the run's own split artifact."""
    reference = pipeline_run(finished).steps["split"].outputs["split"][0].load()
    return np.load(reference.folder / "parts.npy", allow_pickle=False)
