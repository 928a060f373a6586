"""Peers trained at the same time, each in its own process: the same bits, nothing left over."""

import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml
from small import ZENML, run_command, small_config

from mutualctr.data.synthetic import generate_criteo

PEERS = {"operator": "peers", "gpus": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    generate_criteo(folder / "clicks.tsv", rows=2000, seed=5)
    return folder


@pytest.fixture
def parallel(tracking_uri):
    """The stack that lets steps overlap, for one test."""
    from zenml.client import Client

    from stack.setup import set_up_stack

    client = Client()
    before, root = client.active_stack_model.id, client.root
    set_up_stack(root, peers_at_once=2)
    yield
    client.activate_stack(before)


def own_config() -> dict:
    """Under a name of its own in the registry that all tests share; nothing cached."""
    content = small_config() | {"enable_cache": False}
    content["parameters"]["registry"] = {"prefix": "parallel"}
    return content


def parallel_config() -> dict:
    content = own_config()
    content["parameters"]["resources"] = {
        "pretraining": PEERS,
        "finetuning": PEERS | {"ranks": 2},  # and a process for every peer of the cohort
    }
    return content


def test_peers_in_processes_of_their_own_give_the_same_bits(parallel, data, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    alone = run_command(own_config(), here, data)
    assert alone.code == 0, alone.output
    together = run_command(parallel_config(), there, data)
    assert together.code == 0, together.output
    for part in ("dataset", "rows", "arms", "ensembles", "delta_auc", "curves"):
        assert together.report[part] == alone.report[part], part
    assert "[pretrain_dcn_0] " in together.output
    assert "[mutual_finetune] " in together.output
    assert "mutual finetune of 2 peers on 2 ranks" in together.output
    for chatter in ("Initiating heartbeat", "disable MLflow autologging"):
        assert chatter not in together.output


def test_an_ended_run_leaves_no_process(parallel, data, tmp_path, monkeypatch):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(parallel_config()))
    monkeypatch.setenv("MUTUALCTR_DATA", str(data))
    with (tmp_path / "log").open("w") as log:
        run = psutil.Popen(
            [ZENML, "pipeline", "run", "dml_finetune", "-c", "run.yaml"],
            cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        children: list[psutil.Process] = []
        while len(children) < 2:
            assert run.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
            children = [c for c in run.children() if "pretrain" in " ".join(c.cmdline())]
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) != 0
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    assert len(gone) == 2
