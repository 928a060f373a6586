"""Cells: what a study trains, that it trains nothing twice, and that its arms are the engine's."""

import numpy as np
import pytest
import torch
from study_world import bench, config

from mutualctr.closed import parse
from mutualctr.errors import ConfigError
from mutualctr.study import train as study_train
from mutualctr.study.config import StudyConfig
from mutualctr.study.plan import arm_cells, arm_key, pretrained_key, pretrained_specs
from mutualctr.study.run import run_study
from mutualctr.study.train import pretrained_cell
from mutualctr.training import checkpoint, loop
from mutualctr.training.determinism import deterministic
from mutualctr.training.predict import predict

ALL_KINDS = [
    {"name": "control", "kind": "control"},
    {"name": "mutual", "kind": "mutual"},
    {"name": "scratch", "kind": "scratch"},
    {"name": "frozen", "kind": "frozen_ensemble"},
    {"name": "myself", "kind": "self"},
    {"name": "hinton", "kind": "teacher", "temperature": 2.0},
    {"name": "gated", "kind": "gated"},
    {"name": "compress", "kind": "dicn", "temperature": 3.0},
    {"name": "bridge", "kind": "bridge"},
    {"name": "ema", "kind": "ema"},
    {"name": "swa", "kind": "swa"},
]

SAME = [config().cohorts[0].model_dump(mode="json")]


def silent(done, total, name):
    pass


def test_the_plan_names_every_peer_once_and_every_arm_of_every_group():
    plan = config()
    specs = [(spec.architecture, spec.seed) for spec in pretrained_specs(plan)]
    # deepfm 1 is in both cohorts and trained once; group 1 has seeds from 1000
    assert sorted(specs) == sorted(
        [
            ("deepfm", 1),
            ("deepfm", 2),
            ("dcn", 5),
            ("deepfm", 1001),
            ("deepfm", 1002),
            ("dcn", 1005),
        ]
    )
    names = [(cell.cohort, cell.group, cell.arm.name) for cell in arm_cells(plan)]
    assert names == [
        ("same", 0, "control"),
        ("same", 0, "mutual"),
        ("same", 1, "control"),
        ("same", 1, "mutual"),
        ("mixed", 0, "mutual"),
        ("mixed", 1, "mutual"),
    ]


def test_the_control_has_no_weight_and_groups_have_their_own_order():
    cells = list(arm_cells(config()))
    assert [cell.finetuning.weight for cell in cells[:2]] == [0.0, 2.0]
    assert [cell.finetuning.seed for cell in cells[:4]] == [3, 3, 1003, 1003]


def test_names_decide_nothing_and_numbers_everything(tmp_path):
    made = bench(tmp_path)
    cell = next(iter(arm_cells(made.config)))
    key = arm_key(made.world, made.config, cell)
    renamed = config(
        arms=[{"name": "other", "kind": "control"}, {"name": "mutual", "kind": "mutual"}]
    )
    assert arm_key(made.world, renamed, next(iter(arm_cells(renamed)))) == key
    slower = config(
        arms=[{"name": "control", "kind": "control", "lr": 1e-3}],
        cohorts=[
            {
                "name": "same",
                "peers": [{"architecture": "deepfm", "seed": s} for s in (1, 2)],
                "finetuning": {"lr": 7e-3, "weight": 2.0, "space": "prob", "seed": 3},
            }
        ],
    )
    assert arm_key(made.world, slower, next(iter(arm_cells(slower)))) != key


def test_nothing_finished_is_repeated(tmp_path, monkeypatch):
    made = bench(tmp_path)
    calls = []
    real = study_train._taught

    def counted(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt  # someone stops the study in its fourth arm
        return real(*arguments)

    monkeypatch.setattr(study_train, "_taught", counted)
    with pytest.raises(KeyboardInterrupt):
        run_study(made, silent)
    assert not list(made.store.glob(".*.part"))
    calls.clear()
    monkeypatch.setattr(study_train, "_taught", lambda *a: calls.append(a) or real(*a))
    finished = run_study(made, silent)
    assert len(calls) == 6 - 3
    calls.clear()
    again = run_study(made, silent)
    assert calls == []
    assert [found.folder for _, found in again] == [found.folder for _, found in finished]


def test_an_arm_is_what_the_engine_does(tmp_path):
    made = bench(tmp_path)
    for cell, found in run_study(made, silent):
        peers = [
            checkpoint.load(pretrained_cell(made, spec).folder / "0")[1] for spec in cell.peers
        ]
        with deterministic():
            loop.finetune(
                peers,
                made.open("train"),
                made.open("dev"),
                made.config.optimizer,
                cell.finetuning,
                cell.finetuning.weight,
                study_train.SILENT,
            )
            expected_NR = np.stack([predict(model, made.open("test")) for model in peers])
        assert np.array_equal(found.probability_ENR("test")[0], expected_NR)
        assert found.probability_ENR("test").shape[0] == (2 if cell.arm.name == "mutual" else 1)


def test_every_kind_runs_and_differs_from_every_other(tmp_path):
    cohorts = [config().cohorts[0].model_dump(mode="json")]
    cohorts[0]["peers"].append({"architecture": "dicn", "seed": 7})
    made = bench(tmp_path, arms=ALL_KINDS, cohorts=cohorts)
    kinds = set(
        StudyConfig.model_fields["arms"]
        .annotation.__args__[0]
        .model_fields["kind"]
        .annotation.__args__
    )
    assert {arm["kind"] for arm in ALL_KINDS} == kinds
    seen = {}
    for cell, found in run_study(made, silent):
        if cell.group == 0:
            seen[cell.arm.name] = found.probability_ENR("test")[0]
    assert len(seen) == len(ALL_KINDS)
    names = list(seen)
    for i, one in enumerate(names):
        assert np.isfinite(seen[one]).all()
        for other in names[i + 1 :]:
            assert not np.array_equal(seen[one], seen[other]), (one, other)


def test_dicn_is_distilled_into_the_others_whoever_is_best(tmp_path):
    cohorts = [{**SAME[0], "peers": [*SAME[0]["peers"], {"architecture": "dicn", "seed": 7}]}]
    arms = [{"name": "compress", "kind": "dicn", "weight": 1e4, "lr": 5e-3, "epochs": 5}]
    made = bench(tmp_path, arms=arms, cohorts=cohorts)
    for cell, found in run_study(made, silent):
        before = [pretrained_cell(made, spec).probability_ENR("test")[0, 0] for spec in cell.peers]
        after = found.probability_ENR("test")[-1]
        for n in (0, 1):  # the students come nearer to the teacher as it was
            apart, first = (np.abs(one[n] - before[2]).mean() for one in (after, before))
            assert apart < first / 2


def test_two_workers_give_the_same_bits(tmp_path):
    torch.set_num_threads(1)
    alone, together = bench(tmp_path / "1"), bench(tmp_path / "2", workers=2)
    for (cell, one), (_, other) in zip(
        run_study(alone, silent), run_study(together, silent), strict=True
    ):
        assert np.array_equal(one.probability_ENR("test"), other.probability_ENR("test")), cell


def test_the_average_of_a_constant_is_the_constant_and_swa_is_the_mean():
    from models.registry import build
    from mutualctr.training.averaging import WeightAverage

    torch.manual_seed(0)
    model = build("deepfm", num_ids=9, num_fields=3, embedding_dim=2, hidden=[3], dropout=0.0)
    start = [p.detach().clone() for p in model.parameters()]
    swa, ema = WeightAverage(model, "swa"), WeightAverage(model, "ema")
    for shift in (1.0, 2.0, 3.0):
        for p, first in zip(model.parameters(), start, strict=True):
            p.data.copy_(first + shift)
        swa.update()
        ema.update()
    swa.put_into_model()
    for p, first in zip(model.parameters(), start, strict=True):
        assert torch.allclose(p, first + 2.0, atol=1e-5)
    ema.put_into_model()
    by_hand = 0.0
    for shift in (1.0, 2.0, 3.0):
        by_hand += 0.001 * (shift - by_hand)
    for p, first in zip(model.parameters(), start, strict=True):
        assert torch.allclose(p, first + by_hand, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"arms": [{"name": "pretrained", "kind": "control"}]}, "every study has it anyway"),
        ({"arms": [{"name": "c", "kind": "control", "weight": 2}]}, "has no teacher"),
        ({"arms": [{"name": "s", "kind": "scratch", "epochs": 2}]}, "pretraining.epochs"),
        ({"arms": [{"name": "m", "kind": "mutual", "temperature": 2}]}, "no temperature"),
        ({"arms": [{"name": "mutua", "kind": "mutual"}]}, "did you mean `mutua`?"),
        ({"arms": [{"name": "d", "kind": "dicn"}], "cohorts": SAME}, "has no dicn that d could"),
        ({"groups": 1}, "greater than or equal to 2"),
    ],
)
def test_a_wrong_study_is_one_sentence(changed, sentence):
    plain = config().model_dump(mode="json") | changed
    with pytest.raises(ConfigError, match=sentence.replace("?", r"\?")) as caught:
        parse(StudyConfig, plain, "study.yaml")
    assert "\n" not in str(caught.value)


def test_a_key_knows_its_pretraining(tmp_path):
    made = bench(tmp_path)
    spec = pretrained_specs(made.config)[0]
    longer = config(pretraining={"epochs": 3, "lr": 1e-2})
    assert pretrained_key(made.world, made.config, spec) != pretrained_key(made.world, longer, spec)
