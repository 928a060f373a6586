"""The epoch's benchmark runs, and says what it ran."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import bench_epoch


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bench_epoch, "SIZES", (5, 400, 30))
    monkeypatch.setattr(bench_epoch, "BATCH", 50)


def test_rows_are_drawn_each_field_from_its_range():
    block = bench_epoch.drawn_block(2000)
    assert block.ids_RF.dtype == np.int32
    assert block.ids_RF.min(axis=0).tolist() == [0, 5, 405]
    assert (block.ids_RF.max(axis=0) < [5, 405, 435]).all()
    _, counts = np.unique(block.ids_RF[:, 0], return_counts=True)
    assert counts.max() > 2 * counts.min()
    assert block.label_R.mean() == 0.25


@pytest.mark.parametrize("architectures", bench_epoch.COHORTS.values())
def test_an_epoch_is_timed_and_looked_into(architectures):
    found = bench_epoch.measure(architectures, bench_epoch.drawn_block(1030))
    assert found["peers"] == list(architectures)
    assert found["rows_per_s"] == pytest.approx(1030 / found["seconds"], rel=0.5)
    assert found["ms_per_step"] > 0
    shares = list(found["share_of_time"].values())
    assert shares == sorted(shares, reverse=True)
    assert 0.3 < sum(shares) <= 1.001
    # What the peers do, wherever they do it.
    assert "aten::_fused_adam_" in found["share_of_time"]
