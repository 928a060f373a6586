"""Peers pretrained in one pass end with the bits they have alone, also after a kill."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ranks import NETWORK, blocks
from worlds import SILENT, optimizer_config, pretrain_config

from mutualctr.cohort import PeerSpec
from mutualctr.training import checkpoint, rows
from mutualctr.training.arms import pretrain_peer, pretrain_peers
from mutualctr.training.loop import Progress
from mutualctr.training.snapshots import Snapshots

SPECS = [
    PeerSpec(architecture=architecture, seed=seed, options={})
    for architecture, seed in (("deepfm", 4), ("dcn", 5), ("deepfm", 6))
]
EPOCHS, STEPS = 2, 7


class Killed(BaseException):
    pass


def killer(after: int) -> Progress:
    seen = []

    def report(done):
        seen.extend([1] if 0 < done <= 50 else [])
        if len(seen) == after:
            raise Killed

    return Progress(report=report, record=lambda peer, point: None)


def together(made, folder, progress=SILENT, snapshots=(None, None, None), scope="full"):
    folder.mkdir(exist_ok=True)
    config = optimizer_config(scope), pretrain_config(EPOCHS)
    pretrain_peers(made, SPECS, NETWORK, *config, progress, folder, snapshots)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Blocks, and every peer trained alone, per scope of L2."""
    folder = tmp_path_factory.mktemp("together")
    made = blocks(folder / "blocks")
    for scope in ("full", "touched"):
        for n, spec in enumerate(SPECS):
            target = folder / scope / str(n)
            target.mkdir(parents=True)
            config = optimizer_config(scope), pretrain_config(EPOCHS)
            pretrain_peer(made, spec, NETWORK, *config, SILENT, target)
    return folder, made


def assert_as_alone(folder, alone):
    for n in range(len(SPECS)):
        (card, model), (other, expected) = (
            checkpoint.load(path) for path in (folder / str(n), alone / str(n) / "0")
        )
        assert card == other
        for name, value in model.state_dict().items():
            assert torch.equal(value, expected.state_dict()[name]), (n, name)


@pytest.mark.parametrize("scope", ["full", "touched"])
def test_one_pass_is_as_many_runs(world, scope, tmp_path):
    folder, made = world
    points: dict[int, list] = {0: [], 1: [], 2: []}
    done = []
    progress = Progress(done.append, lambda peer, point: points[peer].append(point))
    together(made, tmp_path / "out", progress, scope=scope)
    assert_as_alone(tmp_path / "out", folder / scope)
    assert sum(done) == 3 * EPOCHS * 330
    for n in range(3):
        assert points[n] == checkpoint.read_card(tmp_path / "out" / str(n)).curve
    assert len({str(curve) for curve in points.values()}) == 3  # each has its own order and seed


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kills=st.lists(st.integers(1, 3 * STEPS * EPOCHS), min_size=1, max_size=3),
    every=st.sampled_from([1, 3, 100]),
)
def test_killed_at_any_steps(world, kills, every, tmp_path_factory):
    folder, made = world
    mine = tmp_path_factory.mktemp("killed")

    def kept():
        return [Snapshots(mine / f"s{n}", every) for n in range(3)]

    for after in kills:
        try:
            together(made, mine / "out", killer(after), kept())
        except Killed:
            continue
    together(made, mine / "out", SILENT, kept())
    assert_as_alone(mine / "out", folder / "full")
    assert not list(mine.glob("s*"))


def test_a_peer_killed_together_goes_on_alone(world, tmp_path):
    folder, made = world
    with pytest.raises(Killed):
        together(made, tmp_path, killer(20), [Snapshots(tmp_path / f"s{n}", 2) for n in range(3)])
    for n, spec in enumerate(SPECS):
        target, seen = tmp_path / "alone" / str(n), []
        target.mkdir(parents=True)
        config = optimizer_config(), pretrain_config(EPOCHS)
        progress = Progress(seen.append, lambda peer, point: None)
        kept = Snapshots(tmp_path / f"s{n}", 2)
        pretrain_peer(made, spec, NETWORK, *config, progress, target, kept)
        assert seen[0] == 6 * 50  # it was killed in its seventh step
        (_, model), (_, expected) = (
            checkpoint.load(p / "0") for p in (target, folder / "full" / str(n))
        )
        for name, value in model.state_dict().items():
            assert torch.equal(value, expected.state_dict()[name]), (n, name)


def test_everyone_reads_one_copy_of_the_rows(world, tmp_path, monkeypatch):
    # As on a GPU, with the CPU in its place.
    folder, made = world
    copies = []

    def whole(block, device):
        copies.append(block.rows)
        return torch.from_numpy(np.array(block.ids_RF)), torch.from_numpy(
            block.label_R.astype(np.float32)
        )

    def once(self, block, device):
        self.block, self._device, self._whole = block, torch.device("meta"), whole(block, device)

    monkeypatch.setattr(rows.Rows, "__init__", once)
    together(made, tmp_path / "out")
    assert copies == [330]
    assert_as_alone(tmp_path / "out", folder / "full")
