"""Killed at any moment and taken up again, a training ends with the same bits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import (
    NUM_IDS,
    SEQUENCES,
    SILENT,
    SIZES,
    block,
    finetune_config,
    optimizer_config,
    pretrain_config,
)

from models.registry import build
from mutualctr.training import loop
from mutualctr.training.loop import Progress
from mutualctr.training.snapshots import Snapshots

TRAIN, DEV = block(330, seed=1), block(100, seed=2)
EPOCHS, STEPS = 3, 7  # 330 rows in batches of 50: the last is short


class Killed(BaseException):
    pass


def killer(after: int) -> Progress:
    """Ends the process' work after so many steps, in the middle of one."""
    seen = []

    def report(rows):
        if rows and rows <= 50:
            seen.append(rows)
        if len(seen) == after:
            raise Killed

    return Progress(report=report, record=lambda peer, point: None)


def peers(architectures=("deepfm", "dcn", "dien")):
    torch.manual_seed(5)
    return [
        build(
            a,
            num_ids=NUM_IDS,
            num_fields=len(SIZES),
            embedding_dim=4,
            hidden=[8],
            dropout=0.3,
            sequences=SEQUENCES,
        )
        for a in architectures
    ]


def pretrained(progress=SILENT, snapshots=None, scope="full", architecture="deepfm"):
    (model,) = peers((architecture,))
    config, epochs = optimizer_config(scope), pretrain_config(EPOCHS)
    curve = loop.pretrain(model, TRAIN, DEV, config, epochs, 11, progress, snapshots)
    return [model], [curve]


def pretrained_dien(progress=SILENT, snapshots=None, scope="full"):
    return pretrained(progress, snapshots, scope, "dien")


def finetuned(progress=SILENT, snapshots=None, scope="full"):
    cohort = peers()
    config = finetune_config("soft_bce", 3.0)
    curves = loop.finetune(
        cohort, TRAIN, DEV, optimizer_config(scope), config, config.weight, progress, snapshots
    )
    return cohort, curves


def same(one, other):
    for a, b in zip(one[0], other[0], strict=True):
        for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
            assert torch.equal(x, y), name
    assert one[1] == other[1]


@pytest.mark.parametrize("train", [pretrained, pretrained_dien, finetuned])
@pytest.mark.parametrize("scope", ["full", "touched"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kills=st.lists(st.integers(1, STEPS * EPOCHS), min_size=1, max_size=3),
    every=st.sampled_from([1, 3, 100]),
)
def test_killed_at_any_steps(train, scope, kills, every, tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshots")
    for after in kills:
        try:
            train(killer(after), Snapshots(folder / "s", every), scope)
        except Killed:
            continue
    same(train(SILENT, Snapshots(folder / "s", every), scope), train(scope=scope))


def test_snapshots_do_not_change_the_outcome(tmp_path):
    same(pretrained(snapshots=Snapshots(tmp_path / "s", 2)), pretrained())


def test_a_resumed_training_repeats_no_step_before_its_snapshot(tmp_path):
    with pytest.raises(Killed):
        pretrained(killer(10), Snapshots(tmp_path / "s", 4))
    rows = []
    pretrained(
        Progress(report=rows.append, record=lambda peer, point: None), Snapshots(tmp_path / "s", 4)
    )
    # killed in step 10, the last snapshot is after step 8
    assert len(rows) == 1 + STEPS * EPOCHS - 8


SCRIPT = """
import sys
from pathlib import Path
import torch, safetensors.torch
sys.path[:0] = [{tests!r}, {root!r}]
import test_resume as t
from mutualctr.training.snapshots import Snapshots
import time
slow = t.Progress(report=lambda rows: time.sleep(0.01), record=lambda *_: None)
cohort, _ = t.finetuned(slow, Snapshots(Path(sys.argv[1]) / "s", 1))
safetensors.torch.save_file(cohort[1].state_dict(), Path(sys.argv[1]) / "done.safetensors")
"""


def test_kill_9_in_a_process_of_its_own(tmp_path):
    import safetensors.torch

    here = Path(__file__).resolve()
    script = SCRIPT.format(tests=str(here.parent), root=str(here.parents[2]))
    command = [sys.executable, "-c", script, str(tmp_path)]
    rng = np.random.default_rng(0)
    first = subprocess.Popen(command)
    while not list((tmp_path / "s").glob("0*.safetensors")) and first.poll() is None:
        time.sleep(0.005)
    time.sleep(rng.random() * 0.05)
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert not (tmp_path / "done.safetensors").exists()
    subprocess.run(command, check=True)
    expected = finetuned()[0][1].state_dict()
    for name, value in safetensors.torch.load_file(tmp_path / "done.safetensors").items():
        assert torch.equal(value, expected[name]), name
