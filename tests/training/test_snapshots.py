"""Snapshots: whole or passed over, two kept, and what went in comes out."""

import logging
import os
import time

import torch

from mutualctr.training.snapshots import (
    FORGOTTEN_DAYS,
    Snapshot,
    Snapshots,
    let_go_of_forgotten,
)


def latest(kept: Snapshots) -> Snapshot | None:
    steps = kept.whole()
    return kept.load(max(steps)) if steps else None


def snapshot(step: int) -> Snapshot:
    return Snapshot(
        {"epoch": 1, "step": step, "curve": [{"dev_auc": 0.1 + 0.2}]},
        {
            "table": torch.full((3, 2), float(step)),
            "steps": torch.tensor(step),
            "rng": torch.get_rng_state(),
            "first": torch.zeros(2, 2)[:, :1],  # not contiguous
        },
    )


def test_what_went_in_comes_out(tmp_path):
    kept = Snapshots(tmp_path / "s", every=5)
    assert latest(kept) is None
    kept.save(5, snapshot(5))
    found = latest(kept)
    assert found.cursor == snapshot(5).cursor  # floats to the last bit
    for name, value in snapshot(5).tensors.items():
        assert torch.equal(found.tensors[name], value), name
        assert found.tensors[name].dtype == value.dtype


def test_the_two_newest_are_kept(tmp_path):
    kept = Snapshots(tmp_path, every=1)
    for step in (1, 2, 3, 20):
        kept.save(step, snapshot(step))
    assert sorted(int(path.name[:12]) for path in tmp_path.iterdir()) == [3, 20]
    assert latest(kept).cursor["step"] == 20


def test_a_torn_or_altered_snapshot_is_passed_over(tmp_path):
    kept = Snapshots(tmp_path, every=1)
    kept.save(1, snapshot(1))
    kept.save(2, snapshot(2))
    newest = max(tmp_path.iterdir())
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-1])
    assert latest(kept).cursor["step"] == 1
    newest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert latest(kept).cursor["step"] == 1
    newest.write_bytes(whole)
    assert latest(kept).cursor["step"] == 2
    (tmp_path / ".000000000003-x.safetensors.part").write_bytes(b"half")
    assert latest(kept).cursor["step"] == 2


def test_due_counts_steps(tmp_path):
    kept = Snapshots(tmp_path, every=3)
    assert [step for step in range(1, 10) if kept.due(step)] == [3, 6, 9]


def test_clearing_leaves_nothing(tmp_path):
    kept = Snapshots(tmp_path / "s", every=1)
    kept.save(1, snapshot(1))
    kept.clear()
    assert not (tmp_path / "s").exists()


def test_what_nobody_went_on_with_is_let_go(tmp_path, caplog):
    """An old training that is opened again counts as used; a young one is nobody's business."""
    store, old = tmp_path / "store", time.time() - (FORGOTTEN_DAYS + 1) * 86_400
    for name in ("young", "opened", "forgotten"):
        Snapshots(store / name, every=1).save(1, snapshot(1))
        if name != "young":
            os.utime(store / name, (old, old))
    Snapshots(store / "opened", every=1)
    with caplog.at_level(logging.INFO):
        let_go_of_forgotten(store)
        let_go_of_forgotten(store)
        let_go_of_forgotten(tmp_path / "there is none")
    assert sorted(path.name for path in store.iterdir()) == ["opened", "young"]
    (said,) = caplog.messages
    assert said.startswith("Snapshots of 1 killed training that nobody went on with for 14 days")
    assert latest(Snapshots(store / "opened", every=1)).cursor["step"] == 1
