"""The life of a schedule through the real commands, and firings that see what changed."""

import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from small import small_config
from tiny_run import ZENML, finish, read_until, start, statuses, succeed, tiny_config, zenml

from mutualctr.data.synthetic import generate_criteo
from mutualctr.errors import ConfigError, StackError
from stack import check
from stack.scheduling.policy import SETTINGS
from stack.scheduling.store import active_jobs, open_state

SCHEDULER = (sys.executable, "-c", "from stack.cli import main; main()", "scheduler")
POLICY = {
    "time_zone": "Europe/Berlin",
    "missed_runs": "run_once",
    "retries": 0,
    "retry_delay_seconds": 60,
    "retry_delay_cap_seconds": 60,
}
ALWAYS_DUE = {"interval_second": 1, "start_time": "2026-01-01T00:00:00+00:00"}


def schedule(*arguments: str) -> str:
    """The output of `zenml pipeline schedule …`, which must end well."""
    code, output = zenml("pipeline", "schedule", *arguments)
    assert code == 0, output
    return output


def schedules_named(name: str):
    from zenml.client import Client

    return Client().list_schedules(name=name)


def test_register_update_pause_delete(tracking_uri, tmp_path, monkeypatch):
    block = {"name": "life", "cron_expression": "0 3 * * *"}
    tiny_config(tmp_path, schedule=block, settings={SETTINGS: POLICY})
    monkeypatch.chdir(tmp_path)
    output = succeed(tmp_path, ZENML, "pipeline", "run", "tiny", "-c", "tiny.yaml")
    assert output.strip().splitlines()[-1].startswith("Schedule `life` is registered;")
    code, output = zenml("pipeline", "run", "tiny", "-c", "tiny.yaml")
    assert code == 1
    assert "There is a schedule `life` already; `zenml pipeline schedule delete life`" in output
    assert "life" in schedule("list", "--output", "json")

    (job,) = active_jobs()
    assert (job.name, job.policy.time_zone) == ("life", "Europe/Berlin")
    code, output = zenml(
        "pipeline", "schedule", "update", "life", "--cron-expression", "0 99 * * *"
    )
    assert code == 1
    schedule("update", "life", "--cron-expression", "30 4 * * *")
    (job,) = active_jobs()
    assert job.timetable.cron == "30 4 * * *"

    schedule("deactivate", "life")
    assert active_jobs() == []
    before = datetime.now(UTC)
    schedule("activate", "life")
    with open_state() as state:  # what was due while it was off is nobody's
        assert state.get(job.schedule).handled >= before
    schedule("delete", "life", "-y")
    with open_state() as state:
        assert state.get(job.schedule) is None
    assert not schedules_named("life").total
    assert active_jobs() == []


def test_a_firing_is_a_fresh_run_of_the_stored_file(tracking_uri, tmp_path, monkeypatch):
    """The clicks are spoilt between two firings: a frozen snapshot would not notice."""
    monkeypatch.setenv("MUTUALCTR_DATA", str(tmp_path))
    generate_criteo(tmp_path / "clicks.tsv", rows=2000, seed=1)
    content = small_config()
    content["parameters"]["pretraining"]["epochs"] = 1
    content["parameters"]["registry"]["prefix"] = "nightly"
    content |= {"schedule": {"name": "real"} | ALWAYS_DUE, "settings": {SETTINGS: POLICY}}
    file = tmp_path / "real.yaml"
    file.write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    code, output = zenml("pipeline", "run", "dml_finetune", "-c", str(file))
    assert code == 0, output
    try:
        output = succeed(tmp_path, *SCHEDULER, "--once")
        assert "ended well" in output
        assert "real.yaml has changed" not in output
        assert (tmp_path / "outputs" / "latest" / "report.html").exists()

        file.write_text("nothing that could run")
        (tmp_path / "clicks.tsv").write_text("not clicks\n")
        code, output = finish(tmp_path, *SCHEDULER, "--once")
        assert code == 1, output
        assert "real.yaml has changed or is gone since this schedule was made" in output
        assert "is given up after 1 attempt" in output
        log = Path(output.split("failed with code 1; see ")[1].split()[0]).read_text()
        assert "clicks.tsv: line 1 has 1 column where contract criteo expects 40" in log, log
    finally:
        schedule("delete", "real", "-y")


FIRED = (sys.executable, "-m", "stack.scheduling.fired")


@pytest.fixture
def orchestrator(monkeypatch):
    """Of the active stack; a test sets its flavour."""
    found = SimpleNamespace(flavor="", config=SimpleNamespace(is_schedulable=True))
    client = SimpleNamespace(
        active_stack_model=SimpleNamespace(name="here"),
        active_stack=SimpleNamespace(orchestrator=found),
        list_schedules=lambda name: SimpleNamespace(total=0),
    )
    monkeypatch.setattr(check, "Client", lambda: client)
    return found


NIGHTLY = {
    "schedule": {"name": "n", "cron_expression": "0 3 * * *"}, "settings": {SETTINGS: POLICY},
}  # fmt: skip


@pytest.mark.parametrize("flavor", ["kubernetes", "kubeflow_fixed", "vertex"])
def test_who_would_repeat_the_first_night_takes_no_schedule(orchestrator, flavor):
    orchestrator.flavor = flavor
    with pytest.raises(StackError, match=rf"\({flavor}\) would run tonight's clicks again"):
        check.check_can_schedule(NIGHTLY, "run.yaml")


def test_a_cron_job_starts_afresh_but_cannot_keep_every_schedule(orchestrator):
    orchestrator.flavor = "kubernetes_scheduled"
    assert check.check_can_schedule(NIGHTLY, "run.yaml").startswith("a CronJob")
    all_of_them = {SETTINGS: POLICY | {"missed_runs": "run_all"}}
    with pytest.raises(ConfigError, match="run_all"):
        check.check_can_schedule(NIGHTLY | {"settings": all_of_them}, "run.yaml")


def partition(folder: Path, day: int) -> None:
    """One more day in the folder that `tiny_config` names."""
    (folder / "daily").mkdir(exist_ok=True)
    (folder / "daily" / f"2026-01-{day:02}.tsv").write_text("")


def test_the_pod_of_a_cron_job_tells_what_nobody_else_can(tracking_uri, tmp_path):
    """Two attempts, each a run of its own, in a folder that knows nothing; one message."""
    policy = POLICY | {"retries": 1, "retry_delay_seconds": 0.1, "retry_delay_cap_seconds": 0.1}
    alerts = [{"kind": "file", "path": "told.jsonl", "events": ["failure"]}]
    file = tiny_config(
        tmp_path,
        schedule={"name": "pods", "cron_expression": "0 3 * * *"},
        settings={SETTINGS: policy},
        extra={"alerts": alerts},
    )
    succeed(tmp_path, ZENML, "pipeline", "run", "tiny", "-c", "tiny.yaml")
    (job,) = active_jobs()
    file.unlink()
    partition(tmp_path, 1)
    pod = tmp_path / "pod"
    pod.mkdir()
    try:
        (pod / "orders").write_text("fail")
        code, output = finish(pod, *FIRED, job.schedule)
        assert code == 1, output
        assert "Attempt 1 failed with code 1; the next in 0 s." in output
        (line,) = (pod / "told.jsonl").read_text().splitlines()
        told = json.loads(line)
        assert (told["event"], told["pipeline"]) == ("failure", "tiny")
        assert told["sentence"].startswith("pods is given up after 2 attempts: ")
        assert "told to fail" in told["sentence"]

        (pod / "orders").unlink()
        before = len(statuses())
        assert "Nothing new" not in succeed(pod, *FIRED, job.schedule)
        assert "Nothing new" in succeed(pod, *FIRED, job.schedule)
        assert statuses()[before:] == ["completed"]
        assert len((pod / "told.jsonl").read_text().splitlines()) == 1
    finally:
        schedule("delete", "pods", "-y")


def test_the_pod_passes_a_signal_on(tracking_uri, tmp_path):
    """The run is stopped, not left behind, and its end is no failure to tell of."""
    block = {"name": "evicted", "cron_expression": "0 3 * * *"}
    alerts = [{"kind": "file", "path": "told.jsonl", "events": ["failure"]}]
    settings = {SETTINGS: POLICY | {"retries": 3}}
    tiny_config(tmp_path, schedule=block, settings=settings, extra={"alerts": alerts})
    succeed(tmp_path, ZENML, "pipeline", "run", "tiny", "-c", "tiny.yaml")
    (job,) = active_jobs()
    partition(tmp_path, 1)
    (tmp_path / "orders").write_text("sleep")
    try:
        process = start(tmp_path, *FIRED, job.schedule)
        read_until(process, "asleep")
        process.terminate()
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM, output
        assert "was interrupted by SIGTERM" in output
        assert statuses()[-1] in ("failed", "stopped")
        assert not (tmp_path / "told.jsonl").exists()
    finally:
        schedule("delete", "evicted", "-y")
