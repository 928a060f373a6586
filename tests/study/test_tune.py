"""The search: it finds what is better on dev, goes on where it was, and writes a ready file."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from study_world import bench, config

from mutualctr.closed import parse
from mutualctr.errors import ConfigError
from mutualctr.evaluation.auc import auc
from mutualctr.study import tune as tuning
from mutualctr.study.plan import arm_cells
from mutualctr.study.train import arm_cell
from mutualctr.study.tune import SearchConfig, TuneConfig, ready_config, trials_csv, tune
from stack.pipeline import check_content

DEFAULT = Path(__file__).resolve().parents[2] / "zenml_config.yaml"
SEARCH = SearchConfig(
    trials=6,
    weight={"low": 0.1, "high": 100.0},
    lr={"low": 1e-4, "high": 1e-1},
    spaces=("prob", "soft_bce"),
)


def one_cohort():
    return [config().cohorts[0].model_dump(mode="json")]


def tune_config(**changed) -> TuneConfig:
    plain = config().model_dump(mode="json")
    names = ("data", "split_rows", "features", "network", "optimizer", "groups")
    return TuneConfig.model_validate(
        {name: plain[name] for name in names}
        | {
            "pretraining": plain["pretraining"] | {"together": False},
            "peers": plain["cohorts"][0]["peers"],
            "finetuning": plain["cohorts"][0]["finetuning"],
            "registry": {"prefix": "ctr"},
            "promotion": yaml.safe_load(DEFAULT.read_text())["parameters"]["promotion"],
            "snapshots": {"every_steps": 100},
            "search": SEARCH.model_dump(mode="json"),
        }
        | changed
    )


def silent(*_):
    pass


def test_the_best_trial_is_the_best_on_dev_and_the_first_is_the_configured(tmp_path):
    made = bench(tmp_path, cohorts=one_cohort())
    tuned = tune(made, SEARCH, tmp_path / "optuna.db", silent)
    assert len(tuned.trials) == 6
    first = next(t for t in tuned.trials if t.number == 0)
    assert (first.weight, first.lr, first.space) == (2.0, 7e-3, "prob")
    assert tuned.dev_auc == max(t.value for t in tuned.trials if t.value is not None)
    # the first trial's value by hand: the mean over groups and peers of dev AUC
    mutual = [c for c in arm_cells(made.config) if c.arm.name == "mutual"]
    by_hand = [
        auc(made.open("dev").label_R, p_R)
        for cell in mutual
        for p_R in arm_cell(made, cell).probability_ENR("dev")[0]
    ]
    assert first.value == pytest.approx(np.mean(by_hand), abs=1e-12)


def test_a_killed_search_goes_on_and_finds_the_same(tmp_path, monkeypatch):
    whole = tune(bench(tmp_path / "1", cohorts=one_cohort()), SEARCH, tmp_path / "1.db", silent)
    calls = []
    real = tuning.arm_cell

    def killed(*arguments):
        calls.append(arguments)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(*arguments)

    made = bench(tmp_path / "2", cohorts=one_cohort())
    monkeypatch.setattr(tuning, "arm_cell", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(made, SEARCH, tmp_path / "2.db", silent)
    monkeypatch.setattr(tuning, "arm_cell", real)
    again = tune(made, SEARCH, tmp_path / "2.db", silent)
    assert len(again.trials) == 6
    assert again.trials[0] == whole.trials[0]
    more = SEARCH.model_copy(update={"trials": 8})
    assert len(tune(made, more, tmp_path / "2.db", silent).trials) == 8


def test_the_ready_file_is_a_complete_configuration_with_what_was_found(tmp_path):
    made = bench(tmp_path, cohorts=one_cohort())
    tuned = tune(made, SEARCH, tmp_path / "optuna.db", silent)
    text = ready_config(tune_config(), tuned)
    checked = check_content(yaml.safe_load(text), "tuned.yaml")
    assert checked.finetuning == tuned.finetuning
    assert checked.peers == tune_config().peers
    assert f"{tuned.control_dev_auc:.5f}" in text
    rows = trials_csv(tuned).splitlines()
    assert len(rows) == 1 + 6
    assert rows[1].split(",")[2] == f"{tuned.dev_auc:.6f}"


def test_a_study_of_the_same_run_shares_its_cells():
    study = tune_config().as_study()
    assert study.cohorts[0].peers == tune_config().peers
    assert [arm.kind for arm in study.arms] == ["control", "mutual"]


def test_a_range_ascends():
    plain = tune_config().model_dump(mode="json")
    plain["search"]["lr"] = {"low": 1.0, "high": 0.1}
    with pytest.raises(ConfigError, match="must lie below"):
        parse(TuneConfig, plain, "tune.yaml")
