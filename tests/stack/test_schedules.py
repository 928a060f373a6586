"""The life of a schedule through the real commands, and firings that see what changed."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import yaml
from small import small_config
from tiny_run import ZENML, finish, succeed, tiny_config, zenml

from mutualctr.data.synthetic import generate_criteo
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
