"""A study and a search through the real command, and a study that was killed."""

import csv
import json
from pathlib import Path

import yaml
from small import ROOT, run_command

from mutualctr.data.synthetic import generate_criteo
from stack.pipeline import check_config


def small(kind: str) -> dict:
    """The miniature of a folder of configurations, smaller still."""
    content = yaml.safe_load((ROOT / "configs" / kind / "generated.yaml").read_text())
    peers = [{"architecture": "deepfm", "seed": seed} for seed in (1, 2)]
    content["parameters"] |= {
        "data": {"contract": "criteo", "source": "clicks.tsv"},
        "network": {"embedding_dim": 4, "hidden": [8], "dropout": 0.0},
        "groups": 2,
    }
    if kind == "tune":
        content["parameters"]["peers"] = peers
        content["parameters"]["search"]["trials"] = 2
    else:
        content["parameters"]["cohorts"][0]["peers"] = peers
        content["parameters"]["workers"] = 1
    return content


def test_a_study_and_a_search(tracking_uri, tmp_path):
    generate_criteo(tmp_path / "clicks.tsv", 3000, seed=3)
    done = run_command(small("study"), tmp_path, tmp_path, "dml_study")
    assert done.code == 0, done.output
    study = json.loads((tmp_path / "outputs/latest-study/study.json").read_text())
    assert {row["cohort"] for row in study["rows"]} == {"deepfm", "deepfm_pair"}
    assert "deepfm: mutual" in done.output
    assert (tmp_path / "outputs/latest-study/study.html").is_file()

    # another hypothesis is another report, but no cell is trained again
    content = small("study")
    content["parameters"]["hypotheses"] = []
    again = run_command(content, tmp_path, tmp_path, "dml_study")
    assert again.code == 0, again.output
    counted = [line for line in again.output.splitlines() if " cells: " in line]
    assert len(counted) == 1, counted
    assert "what was there already" in counted[0]

    found = run_command(small("tune"), tmp_path, tmp_path, "dml_tune")
    assert found.code == 0, found.output
    tuned = tmp_path / "outputs/latest-tune/tuned.yaml"
    with Path(tuned.with_name("trials.csv")).open() as file:
        assert len(list(csv.DictReader(file))) == 2
    assert check_config(tuned).data.source == "clicks.tsv"

    content = small("study")
    content["parameters"]["cohorts"][0]["arms"] = ["mutal"]
    wrong = run_command(content, tmp_path, tmp_path, "dml_study")
    assert wrong.code != 0
    assert "cohort deepfm names the arm `mutal`; did you mean `mutual`?" in wrong.output
    assert "Traceback" not in wrong.output
