"""Days are scored, labels come later: who gets to know what, and how often."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mlflow.tracking import MlflowClient
from small import ROOT, run_command, score_config, small_config
from tiny_run import zenml

from mutualctr.data.synthetic import generate_criteo
from stack.scheduling.policy import SETTINGS
from stack.scheduling.store import active_jobs, open_state

DAYS = ("2026-03-29", "2026-03-30")
ROWS = 3000
SCHEDULE = "watched-nightly"


def monitor_config(**alarms):
    content = yaml.safe_load((ROOT / "configs" / "monitor.yaml").read_text())
    content["run_name"] = "monitor-{date}-{time}"
    content["extra"]["alerts"] = [{"kind": "file", "path": "alerts.jsonl", "events": ["alarm"]}]
    content["parameters"] |= {
        "data": {"contract": "criteo", "source": "labelled", "window": {"days": 7}},
        "model": "watched",
    }
    content["parameters"]["alarms"] |= {
        "pcoc": {"low": 0.7, "high": 5.0},  # a network of one epoch promises too much
        "auc_at_least": None,
        "psi_at_most": None,
        "probability_psi_at_most": None,
        "retrain": SCHEDULE,
    } | alarms
    return content


POLICY = {
    "time_zone": "UTC",
    "missed_runs": "skip",
    "retries": 0,
    "retry_delay_seconds": 60,
    "retry_delay_cap_seconds": 60,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory, tracking_uri) -> Iterator[Path]:
    """A champion, two scored days, a schedule that is never due by itself.

    Commands run in this process: a dozen imports of ZenML would take longer than all they do.
    """
    data = tmp_path_factory.mktemp("data")
    generate_criteo(data / "clicks.tsv", rows=2 * ROWS, seed=41)
    lines = (data / "clicks.tsv").read_text().splitlines(keepends=True)
    (data / "unlabelled").mkdir()
    (data / "labelled").mkdir()
    for number, day in enumerate(DAYS):
        own = lines[number * ROWS : (number + 1) * ROWS]
        (data / f"{day}.tsv").write_text("".join(own))
        (data / "unlabelled" / f"{day}.tsv").write_text("".join(map(without_label, own)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUTUALCTR_DATA", str(data))
        patch.chdir(tmp_path_factory.mktemp("work"))
        content = small_config()
        content["parameters"]["registry"]["prefix"] = "watched"
        content["parameters"]["pretraining"]["epochs"] = 1
        succeed("dml_finetune", content)
        block = {"name": SCHEDULE, "run_once_start_time": "2125-01-01T00:00:00+00:00"}
        succeed("dml_finetune", content | {"schedule": block, "settings": {SETTINGS: POLICY}})
        output = succeed("dml_score", score_config("unlabelled", "watched@champion", False))
        assert f"{2 * ROWS:,} rows scored by watched/1" in output
        yield data
        code, output = zenml("pipeline", "schedule", "delete", SCHEDULE, "-y")
        assert code == 0, output


def without_label(line: str) -> str:
    return line.partition("\t")[2]


def succeed(door: str, content: dict) -> str:
    """The output of `zenml pipeline run <door> -c …`, which must end well."""
    Path("run.yaml").write_text(yaml.safe_dump(content))
    code, output = zenml("pipeline", "run", door, "-c", "run.yaml")
    assert code == 0, output
    return output


def days_found() -> dict[str, dict]:
    record = json.loads(Path("outputs/latest-monitor/monitor.json").read_text())
    return {day["day"]: day for day in record["days"]}


def alerts() -> list[dict]:
    path = Path("alerts.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def due():
    """When the schedule's waiting run is due, None where none waits."""
    (job,) = [job for job in active_jobs() if job.name == SCHEDULE]
    with open_state() as state:
        memory = state.get(job.schedule)
    return memory and memory.due


def test_labels_arrive_day_by_day(world, tracking_uri):
    labelled = world / "labelled"
    shutil.copy(world / f"{DAYS[0]}.tsv", labelled)
    first = run_command(monitor_config(), Path.cwd(), world, "dml_monitor")
    assert first.code == 0, first.output
    assert "2 days of watched: 1 judged, 1 waiting for labels; no" in first.output
    days = days_found()
    assert [days[day]["state"] for day in DAYS] == ["judged", "waiting"]
    assert (days[DAYS[0]]["rows_matched"], days[DAYS[1]]["rows_matched"]) == (ROWS, 0)
    assert days[DAYS[1]]["rows_scored"] == ROWS
    assert days[DAYS[1]]["observed_rate"] is None
    assert days[DAYS[1]]["probability_psi"] < 0.1
    assert len(days[DAYS[0]]["columns"]) == 39
    assert (alerts(), due()) == ([], None)

    # On the second day nearly everybody clicked.
    lines = (world / f"{DAYS[1]}.tsv").read_text().splitlines(keepends=True)
    clicked = (f"{int(n % 10 > 0)}\t{without_label(line)}" for n, line in enumerate(lines))
    (labelled / f"{DAYS[1]}.tsv").write_text("".join(clicked))
    output = succeed("dml_monitor", monitor_config())
    day = days_found()[DAYS[1]]
    assert [v["rule"] for v in day["verdicts"] if not v["passed"]] == ["pcoc"]
    assert day["observed_rate"]["value"] == 0.9
    assert "Alarm: " in output
    (alert,) = alerts()
    assert alert["event"] == "alarm"
    assert f"{DAYS[1]} watched/1: pcoc 0." in alert["sentence"]
    assert f"Schedule `{SCHEDULE}` is due now" in alert["sentence"]
    asked = due()
    assert asked is not None

    output = succeed("dml_monitor", monitor_config())
    assert "Alarm:" not in output
    assert (len(alerts()), due()) == (1, asked)

    page = Path("outputs/latest-monitor/monitor.html").read_text()
    assert "<script" not in page
    client = MlflowClient(tracking_uri=tracking_uri)
    experiment = client.get_experiment_by_name("dml_monitor")
    (newest,) = client.search_runs([experiment.experiment_id], max_results=1)
    history = client.get_metric_history(newest.info.run_id, "pcoc")
    assert [point.step for point in history] == [20260329, 20260330]
    assert history[1].value == pytest.approx(day["pcoc"]["value"])
    assert "monitor.html" in {file.path for file in client.list_artifacts(newest.info.run_id)}


def test_rows_that_are_not_those_that_were_scored_are_refused(world):
    (world / "other").mkdir()
    lines = (world / f"{DAYS[0]}.tsv").read_text().splitlines(keepends=True)
    (world / "other" / f"{DAYS[0]}.tsv").write_text("".join(lines[1:] + lines[:1]))
    content = monitor_config()
    content["parameters"]["data"]["source"] = "other"
    Path("run.yaml").write_text(yaml.safe_dump(content))
    code, output = zenml("pipeline", "run", "dml_monitor", "-c", "run.yaml")
    assert code == 1
    assert f"The labels of {DAYS[0]} ({DAYS[0]}.tsv, 3,000 rows) are not of the rows" in output


def test_a_retraining_that_cannot_start_is_refused_before_anything_runs(world):
    for retrain, said in (
        ("watched-nigtly", "did you mean `watched-nightly`?"),
        (str(ROOT / "configs" / "nightly.yaml"), "write `retrain: nightly`"),
        ("gone.yaml", "there is no such file"),
    ):
        Path("run.yaml").write_text(yaml.safe_dump(monitor_config(retrain=retrain)))
        code, output = zenml("pipeline", "run", "dml_monitor", "-c", "run.yaml")
        assert code == 1, output
        assert said in output
        assert "has started" not in output
