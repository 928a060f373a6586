"""Runs in real processes: nothing new, failures, signals, and a death that the doctor finds."""

import json
import signal

import pytest
from click.testing import CliRunner
from tiny_run import ZENML, read_until, start, statuses, tiny_config, zenml

from stack.cli import main

RUN = (ZENML, "pipeline", "run", "tiny", "-c", "tiny.yaml")


@pytest.fixture
def folder(tracking_uri, tmp_path):
    (tmp_path / "daily").mkdir()
    for day in (1, 2):
        (tmp_path / "daily" / f"2026-03-0{day}.tsv").write_text("")
    alert = {"kind": "file", "path": "alerts.jsonl", "events": ["failure", "kept"]}
    tiny_config(tmp_path, extra={"alerts": [alert]})
    return tmp_path


def test_a_run_without_news_ends_well_and_does_nothing(folder, monkeypatch):
    """First run, no news, a new day whose run fails, and the same day again."""
    monkeypatch.chdir(folder)

    def run() -> tuple[int, str]:
        return zenml("pipeline", "run", "tiny", "-c", "tiny.yaml")

    before = len(statuses())
    assert run()[0] == 0
    code, output = run()
    assert code == 0, output
    said = "2026-03-02.tsv is the newest partition and the last successful run has read it."
    assert output.strip().endswith(said)
    assert len(statuses()) == before + 1
    assert not (folder / "alerts.jsonl").exists()

    (folder / "daily" / "2026-03-03.tsv").write_text("")
    (folder / "orders").write_text("fail")
    code, output = run()
    assert code == 1, output
    (alert,) = map(json.loads, (folder / "alerts.jsonl").read_text().splitlines())
    assert (alert["event"], alert["sentence"]) == ("failure", "told to fail")

    (folder / "orders").unlink()
    assert run()[0] == 0
    assert statuses()[before:] == ["completed", "failed", "completed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_a_sentence(folder, number):
    (folder / "orders").write_text("sleep")
    process = start(folder, *RUN)
    output = read_until(process, "asleep")
    process.send_signal(number)
    output += process.communicate(timeout=60)[0]
    assert process.returncode == 128 + number
    assert f"The run was interrupted by {number.name}; the same command goes on" in output
    assert "Traceback" not in output
    assert statuses()[-1] in ("failed", "stopped")


def examined(*options: str) -> tuple[int, str]:
    """(exit code, output) of `mutualctr doctor`."""
    result = CliRunner().invoke(main, ["doctor", *options])
    return result.exit_code, result.output


def test_the_doctor_finds_the_dead(folder):
    (folder / "orders").write_text("sleep")
    process = start(folder, *RUN)
    read_until(process, "asleep")
    assert "its process is dead" not in examined()[1]
    process.kill()
    process.communicate()
    assert statuses()[-1] == "running"
    code, output = examined()
    assert code == 1, output
    assert "is `running` but its process is dead; `mutualctr doctor --fix` marks it" in output
    assert "mended  Run tiny-" in examined("--fix")[1]
    assert statuses()[-1] == "failed"
    assert "Every run that is said to be under way is." in examined()[1]
