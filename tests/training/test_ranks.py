"""Peers on two processes give the numbers of one, also after a kill."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import torch.distributed as dist
from worlds import NUM_IDS, SILENT, SIZES, block, finetune_config, optimizer_config, pretrain_config

from mutualctr.cohort import PeerSpec
from mutualctr.config import NetworkConfig
from mutualctr.errors import ProcessError, UserError
from mutualctr.reference import Blocks, Models
from mutualctr.training import checkpoint
from mutualctr.training.arms import finetune_cohort, pretrain_peer
from mutualctr.training.loop import Progress
from mutualctr.training.on_ranks import Job, finetune_on_ranks
from mutualctr.training.ranks import Alone, Ranks

NETWORK = NetworkConfig(embedding_dim=4, hidden=(8,), dropout=0.2)


def blocks(folder: Path) -> Blocks:
    for part, rows, seed in (("train", 330, 1), ("dev", 100, 2), ("test", 10, 3)):
        made = block(rows, seed)
        (folder / part).mkdir(parents=True)
        for name, values in (("ids", made.ids_RF), ("label", made.label_R), ("row", made.row_R)):
            np.save(folder / part / f"{name}.npy", values)
    return Blocks.of(folder, train_rows=330, num_ids=NUM_IDS, num_fields=len(SIZES))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    made, pretrained = blocks(folder / "blocks"), []
    for n, architecture in enumerate(("deepfm", "dcn", "deepfm")):
        spec = PeerSpec(architecture=architecture, seed=n, options={})
        target = folder / f"pretrained{n}"
        target.mkdir()
        pretrain_peer(made, spec, NETWORK, optimizer_config(), pretrain_config(1), SILENT, target)
        pretrained.append(Models.of(target, run_ids=("r",)))
    return folder, made, pretrained


def job(world, folder, snapshots=None) -> Job:
    _, made, pretrained = world
    folder.mkdir()
    return Job(
        blocks=made,
        pretrained=tuple(pretrained),
        arm="mutual",
        optimizer=optimizer_config(),
        config=finetune_config("soft_bce", 3.0),
        folder=folder,
        snapshots=snapshots,
        every_steps=2,
    )


def weights(folder: Path, n: int) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / str(n))[1].state_dict()


def test_two_processes_are_one(world, tmp_path):
    alone = job(world, tmp_path / "alone")
    finetune_cohort(
        alone.blocks,
        alone.pretrained,
        "mutual",
        alone.optimizer,
        alone.config,
        SILENT,
        alone.folder,
    )
    together = job(world, tmp_path / "together", tmp_path / "snapshots")
    rows, points = [], []
    told = Progress(rows.append, lambda peer, point: points.append((peer, point)))
    finetune_on_ranks(together, 2, told)
    for n in range(3):
        expected = weights(alone.folder, n)
        for name, value in weights(together.folder, n).items():
            assert torch.equal(value, expected[name]), (n, name)
        curves = [checkpoint.read_card(f / str(n)).curve for f in (alone.folder, together.folder)]
        assert curves[0] == curves[1]
        assert curves[0] == [point for peer, point in points if peer == n]
    assert sum(rows) == 330
    assert not (tmp_path / "snapshots").exists()
    assert sorted(path.name for path in together.folder.iterdir()) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("mine", "theirs", "agreed"),
    [([6, 4], [4, 2], 4), ([6, 4], [6, 4], 6), ([6], [4], None), ([], [4], None)],
)
def test_ranks_agree_on_the_newest_common_snapshot(mine, theirs, agreed, monkeypatch):
    # one rank was killed before it wrote what the other has
    def gather(everyone, own):
        everyone[:] = [own, theirs]

    monkeypatch.setattr(dist, "get_rank", lambda: 0)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_gather_object", gather)
    assert Ranks(4).agree(mine) == agreed


class Second(Alone):
    """As if peers 0 and 2 were on other ranks, which always answer the same."""

    def __init__(self):
        self.joined = 0

    def own(self, peers):
        return range(1, 2)

    def join(self, logit_nB):
        self.joined += 1
        assert len(logit_nB) == 1
        constant_B = torch.full_like(logit_nB[0], 0.5)
        return torch.stack([constant_B, logit_nB[0], -constant_B])


def test_a_rank_trains_and_writes_its_own_peers_only(world, tmp_path):
    mine = job(world, tmp_path / "mine")
    ranks = Second()
    before = [models.digest for models in mine.pretrained]
    finetune_cohort(
        mine.blocks,
        mine.pretrained,
        "mutual",
        mine.optimizer,
        mine.config,
        SILENT,
        mine.folder,
        None,
        ranks,
    )
    assert ranks.joined == 7  # 330 rows in batches of 50
    assert [path.name for path in mine.folder.iterdir()] == ["1"]
    assert [models.digest for models in mine.pretrained] == before


def test_ranks_end_with_who_started_them_and_go_on_afterwards(world, tmp_path):
    many_steps = {"optimizer": optimizer_config(batch_rows=2), "every_steps": 20}
    alone, killed = (
        job(world, tmp_path / name, snapshots).model_copy(update=many_steps)
        for name, snapshots in (("alone", None), ("killed", tmp_path / "snapshots"))
    )
    finetune_on_ranks(alone, 1)
    path = tmp_path / "job.json"
    path.write_text(killed.model_dump_json())
    code = (
        "import sys; from pathlib import Path; from mutualctr.training.on_ranks import *;"
        "finetune_on_ranks(Job.model_validate_json(Path(sys.argv[1]).read_text()), 2)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(path)])
    children: set[psutil.Process] = set()
    while not list(killed.snapshots.glob("*/0*.safetensors")) and parent.poll() is None:
        children |= set(psutil.Process(parent.pid).children(recursive=True))
        time.sleep(0.002)
    parent.kill()
    assert parent.wait() == -signal.SIGKILL
    assert len(children) >= 3  # torchrun and two ranks
    _, left = psutil.wait_procs(children, timeout=30)
    assert not left
    assert list(killed.snapshots.glob("*/0*.safetensors"))  # it was not done
    finetune_on_ranks(killed, 2)
    for n in range(3):
        expected = weights(alone.folder, n)
        for name, value in weights(killed.folder, n).items():
            assert torch.equal(value, expected[name]), (n, name)


def test_what_a_rank_says_against_the_job_is_said(world, tmp_path):
    with pytest.raises(UserError, match="4 ranks cannot share 3 peers; start 3"):
        finetune_on_ranks(job(world, tmp_path / "many"), 4)


def test_a_rank_that_ends_without_a_word_gets_a_sentence(world, tmp_path):
    lost = job(world, tmp_path / "lost")
    gone = lost.pretrained[2].model_copy(update={"folder": tmp_path / "nowhere"})
    lost = lost.model_copy(update={"pretrained": (*lost.pretrained[:2], gone)})
    with pytest.raises(ProcessError, match="2 processes that share a cohort ended early"):
        finetune_on_ranks(lost, 2)


def test_every_peer_has_one_rank(monkeypatch):
    for world in range(1, 6):
        monkeypatch.setattr(dist, "get_world_size", lambda world=world: world)
        for peers in range(world, 9):
            owned = []
            for rank in range(world):
                monkeypatch.setattr(dist, "get_rank", lambda rank=rank: rank)
                owned += Ranks(peers).own(peers)
            assert owned == list(range(peers))
