"""Peers beside each other on threads of their own: the same bits, and a sensible order."""

import copy
import threading
import time

import pytest
import torch
from test_loop import make
from worlds import SILENT, block, finetune_config, optimizer_config, pretrain_config

from mutualctr.training import loop, side_by_side
from mutualctr.training.side_by_side import alone_first


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def counted(monkeypatch):
    """Notes which threads work on peers."""
    seen, timed = set(), side_by_side._Shares._timed

    def noted(self, work, n, speed):
        seen.add((threading.current_thread().name.split("_")[0], torch.get_num_threads()))
        return timed(self, work, n, speed)

    monkeypatch.setattr(side_by_side._Shares, "_timed", noted)
    return seen


def cohort():
    return [make(name, seed, torch.float32) for seed, name in enumerate(("deepfm", "pnn", "dcn"))]


def finetuned(peers):
    train, dev, config = block(330, 1), block(200, 2), finetune_config("soft_bce")
    return loop.finetune(peers, train, dev, optimizer_config(), config, 3.0, SILENT)


def pretrained(peers):
    train, dev, config = block(330, 1), block(200, 2), pretrain_config()
    unkept = [None] * len(peers)
    seeds = range(len(peers))
    return loop.pretrain_together(
        peers, train, dev, optimizer_config(), config, seeds, SILENT, unkept
    )


@pytest.mark.parametrize("train", [finetuned, pretrained])
def test_threads_of_their_own_change_no_bit(train, two_threads, monkeypatch):
    seen = counted(monkeypatch)
    beside = cohort()
    after_each_other = copy.deepcopy(beside)
    curves = train(beside)
    assert ("peers", 1) in seen
    assert seen <= {("peers", 1), ("MainThread", 2)}
    torch.set_num_threads(1)
    assert curves == train(after_each_other)
    for one, other in zip(beside, after_each_other, strict=True):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def test_dropout_has_one_generator_and_one_peer_at_a_time(two_threads, monkeypatch):
    seen = counted(monkeypatch)
    peers = cohort()
    for model in peers:
        model.mlp.layers[2].p = 0.5
    finetuned(peers)
    assert seen == set()


def test_results_are_in_order_and_nobody_is_at_work_after_an_error(two_threads):
    started, ended = [], []

    def work(n):
        started.append(n)
        time.sleep(0.02 * n)
        if n == 0:
            raise KeyError(n)
        ended.append(n)
        return n

    with side_by_side.side_by_side(cohort()) as each:
        assert torch.get_num_threads() == 1  # of who waits for the peers
        assert each(lambda n: 10 * n) == [0, 10, 20]
        with pytest.raises(KeyError):
            each(work)
        assert {0, *ended} == set(started)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("seconds", "workers", "alone"),
    [
        ([0, 0, 0, 0], 2, 0),
        ([1, 1, 1, 1], 2, 0),  # 2 beside each other, 4 / 1.74 = 2.3 alone
        ([1, 1, 1], 2, 1),  # 1 / 1.74 + 1 = 1.57; all beside 2; all alone 1.72
        ([3, 1, 1, 1], 2, 0),  # the dearest takes as long as the others together
        ([10, 1, 1, 1], 2, 2),  # 11 / 1.74 + 1 = 7.3; all alone 7.5; the dearest alone 7.7
        ([10, 1, 1, 1, 1], 2, 1),  # 7.75; all alone 8.0
        ([1, 1, 1, 1], 4, 0),
    ],
)
def test_who_runs_alone_by_hand(seconds, workers, alone):
    assert alone_first(seconds, workers) == alone
