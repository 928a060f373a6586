"""Costs by hand."""

import importlib.util
import json
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "deploy" / "costs.py"
SPEC = importlib.util.spec_from_file_location("costs", PATH)


@pytest.fixture
def costs(monkeypatch, tmp_path):
    import sys

    module = importlib.util.module_from_spec(SPEC)
    monkeypatch.setitem(sys.modules, "costs", module)
    SPEC.loader.exec_module(module)
    monkeypatch.setattr(module, "BENCH", tmp_path)
    return module


def test_hours_by_hand(costs):
    rate = costs.Throughput(data=100, pretrain=10, finetune=20, source="")
    # 3600 rows: 36 s of data; 2 peers x 3 epochs x 2880 rows / 10; 2 arms x 2 peers x 2880 / 20
    found = costs.hours(rate, rows=3600, peers=2, epochs=3)
    assert found["data"] == pytest.approx(0.01)
    assert found["pretrain"] == pytest.approx(0.48)
    assert found["finetune"] == pytest.approx(0.16)
    assert found["machine_hours"] == pytest.approx(0.65)


def test_machines_shorten_the_clock_and_not_the_bill(costs):
    rate = costs.Throughput(data=100, pretrain=10, finetune=20, source="")
    one, many = (costs.hours(rate, 3600, 2, 3, machines=n) for n in (1, 8))
    assert many["pretrain"] == one["pretrain"] / 2
    assert many["finetune"] == one["finetune"] / 2
    assert many["machine_hours"] == one["machine_hours"]


def test_measured_numbers_come_first(costs, tmp_path):
    assert costs.measured() == costs.FALLBACK
    train = {
        "hardware": "this machine",
        "models": {"deepfm": {"rows_per_s": 50.0}},
        "mutual": {"peers": 4, "rows_per_s": {"median": 10.0}},
    }
    (tmp_path / "train.json").write_text(json.dumps(train))
    scale = [{"rows": 5, "rows_per_s": 7.0}, {"rows": 50, "rows_per_s": 6.0}]
    (tmp_path / "data.json").write_text(json.dumps({"scale": scale}))
    rate = costs.measured()
    assert (rate.data, rate.pretrain, rate.finetune) == (6.0, 50.0, 40.0)
    assert rate.source == "outputs/bench: this machine"
