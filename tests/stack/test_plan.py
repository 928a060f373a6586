"""The plan: sizes by hand, and what it promises beside what happens."""

import itertools
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner

from mutualctr.cohort import PeerSpec
from mutualctr.config import RunConfig
from mutualctr.plan import Shape, plan, table_bytes
from mutualctr.training.probe import Probe, Probed, run
from stack.cli import main

ROOT = Path(__file__).resolve().parents[2]
TOGETHER = {"start": "fresh", "epochs": 2, "lr": 1e-3, "together": True}
SHAPE = Shape(train_rows=40_000, dev_rows=5_000, num_ids=200_000, num_fields=10)


def config(**changed) -> RunConfig:
    content = yaml.safe_load((ROOT / "zenml_config.yaml").read_text())["parameters"]
    content["network"] = {"embedding_dim": 8, "hidden": [32], "dropout": 0.0}
    content["peers"] = [{"architecture": name, "seed": 1} for name in ("deepfm", "dcn")]
    return RunConfig.model_validate(content | changed)


def test_the_table_by_hand():
    specs = [PeerSpec(architecture=name, seed=1, options={}) for name in ("deepfm", "dcn")]
    # deepfm has 8 + 1 columns, dcn 8; weights and two moments of 4 bytes, and 4 bytes a row
    assert table_bytes(config(), SHAPE, specs) == 4 * 200_000 * (3 * (9 + 8) + 2)
    touched = config().optimizer.model_copy(update={"l2_scope": "touched"})
    assert table_bytes(config(optimizer=touched), SHAPE, specs[:1]) == 3 * 4 * 200_000 * 9


ACTUAL = """
import sys, resource
from mutualctr.training.probe import Probe, _rows
from mutualctr.training import loop
from models.registry import build
probe = Probe.model_validate_json(sys.stdin.read())
train, dev = _rows(probe, 40_000), _rows(probe, 5_000)
spec, n = probe.specs[0], probe.network
model = build(spec.architecture, num_ids=probe.num_ids, num_fields=probe.num_fields,
              embedding_dim=n.embedding_dim, hidden=n.hidden, dropout=n.dropout)
from mutualctr.config import PretrainConfig
progress = loop.Progress(report=lambda rows: None, record=lambda *_: None)
loop.pretrain(model, train, dev, probe.optimizer, PretrainConfig(epochs=1, lr=1e-3), 0, progress)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_one_pass_is_one_phase(monkeypatch):
    probed = []

    def probe(config, shape, phase, peers):
        probed.append((phase, [peer.spec.architecture for peer in peers]))
        return Probed(step_seconds=0.5, predict_rows_per_second=1000.0, peak_bytes=1)

    monkeypatch.setattr("mutualctr.plan._probe", probe)
    first, mutual, control = plan(config(pretraining=TOGETHER), SHAPE)
    assert probed == [("pretrain", ["deepfm", "dcn"]), ("finetune", ["deepfm", "dcn"])]
    assert (first.name, first.times, first.epochs) == ("pretrain 2 peers together", 1, 2)
    assert first.table_bytes == mutual.table_bytes == control.table_bytes  # of both peers
    assert first.seconds == 2 * (40 * 0.5 + 2 * 5.0)


def test_a_step_of_one_pass_is_one_of_every_peer(monkeypatch):
    now = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: float(next(now)))
    monkeypatch.setattr("mutualctr.training.probe.time", clock)
    made = config(optimizer=config().optimizer.model_copy(update={"batch_rows": 8}))
    specs = [PeerSpec(architecture=name, seed=1, options={}) for name in ("deepfm", "dcn")]
    for n in (1, 2):
        probe = Probe(
            phase="pretrain",
            specs=tuple(specs[:n]),
            network=made.network,
            optimizer=made.optimizer,
            finetuning=made.finetuning,
            num_ids=100,
            num_fields=5,
        )
        assert run(probe).step_seconds == n  # the clock is asked once per peer and step


def test_the_peak_is_within_a_fifth_of_what_happens():
    made = config()
    phases = {phase.name: phase for phase in plan(made, SHAPE)}
    assert list(phases) == [
        "pretrain deepfm",
        "pretrain dcn",
        "mutual epoch of 2 peers",
        "control epoch of 2 peers",
    ]
    probe = Probe(
        phase="pretrain",
        specs=(PeerSpec(architecture="deepfm", seed=1, options={}),),
        network=made.network,
        optimizer=made.optimizer,
        finetuning=made.finetuning,
        num_ids=SHAPE.num_ids,
        num_fields=SHAPE.num_fields,
    )
    done = subprocess.run(
        [sys.executable, "-c", ACTUAL],
        input=probe.model_dump_json(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert phases["pretrain deepfm"].peak_bytes == pytest.approx(int(done.stdout), rel=0.2)
    assert phases["mutual epoch of 2 peers"].table_bytes > phases["pretrain dcn"].table_bytes
    assert all(phase.epoch_seconds > 0 for phase in phases.values())


def test_the_command_prints_every_phase(tmp_path):
    content = yaml.safe_load((ROOT / "zenml_config.yaml").read_text())
    content["parameters"]["peers"] = [
        {"architecture": name, "seed": 1} for name in ("deepfm", "dcn")
    ]
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(content))
    done = CliRunner().invoke(main, ["plan", str(path), "--rows", "20000", "--ids", "30000"])
    assert done.exit_code == 0, done.output
    phases = ("pretrain deepfm", "pretrain dcn", "mutual epoch")
    for word in (*phases, "Peak memory", "16,000 train", "Products in"):
        assert word in done.output
    alone = CliRunner().invoke(main, ["plan", str(path), "--rows", "20000"])
    assert alone.exit_code != 0
    assert "together" in alone.output


def test_ranks_are_said_not_measured(tmp_path, monkeypatch):
    found = Probed(step_seconds=0.5, predict_rows_per_second=1000.0, peak_bytes=1)
    monkeypatch.setattr("mutualctr.plan._probe", lambda *given: found)
    content = yaml.safe_load((ROOT / "zenml_config.yaml").read_text())
    finetuning = {"operator": None, "gpus": 0, "ranks": 2}
    alone = {"operator": None, "gpus": 0}
    content["parameters"]["resources"] = {"pretraining": alone, "finetuning": finetuning}
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(content))
    done = CliRunner().invoke(main, ["plan", str(path), "--rows", "2000", "--ids", "300"])
    assert "the run finetunes on 2 ranks" in " ".join(done.output.split()), done.output
