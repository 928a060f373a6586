"""Snapshots: whole or passed over, two kept, and what went in comes out."""

import torch

from mutualctr.training.snapshots import Snapshot, Snapshots


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
