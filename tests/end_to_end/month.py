"""Nights of one schedule, lived through with the real commands under a clock of our own.

    python tests/end_to_end/month.py LOG        30 nights in a new store, a table of them in LOG

Clicks arrive as daily files whose law turns slowly. A night is what `mutualctr scheduler --once`
does at its hour: the command itself, called in this process with another clock; the runs it fires
are `zenml pipeline run dml_finetune` in processes of their own. Nothing is replaced by a fake.

A day may bring clicks, nothing, a file that breaks the contract, or twice the clicks under the
opposite law, which is worse than nothing for whoever learns from them and is judged on other days;
and its run may be killed with SIGKILL while it trains, or right after it moved the champion.
"""

import contextlib
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml
from mlflow.tracking import MlflowClient

from mutualctr.data.synthetic import generate_criteo

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ZONE = ZoneInfo("Europe/Berlin")
NAME = "month"
"""Of the schedule and of the served model."""
ROWS, SEED = 3000, 6
TURN = 0.03
"""Radians a day: after a month the effects correlate with the first day's by 0.62."""
LATER = 1000
"""Added to a day's number: other rows of the same law."""
ARCHITECTURES = ("deepfm", "dcn")
ARMS = 3
HOUR, MINUTE = 2, 30
"""02:30 does not exist in the night the clocks go forward."""

Brings = Literal["clicks", "nothing", "broken", "opposite"]
Happens = Literal["", "machine off", "killed in training", "killed after promotion", "rolled back"]


@dataclass(frozen=True)
class Day:
    """What a day brings, what happens, and what must have become of it by the next morning.

    The day after a broken file brings that file anew, in order.
    """

    brings: Brings
    outcome: Literal["promoted", "kept", "silent", "failed", "none"]
    happens: Happens = ""


CLICKS = Day("clicks", "promoted")
NOTHING = Day("nothing", "silent")
BROKEN = Day("broken", "failed")
KILLED = Day("clicks", "promoted", "killed in training")
UNSEEN = Day("opposite", "none", "machine off")
WEEK = [CLICKS, BROKEN, KILLED, NOTHING, UNSEEN, Day("clicks", "kept", "rolled back")]
"""What can happen, in as few runs as it takes; the last reads two days at once and is worse."""
MONTH = [
    *[CLICKS] * 4,
    NOTHING,
    CLICKS,
    BROKEN,
    *[CLICKS] * 3,
    KILLED,
    CLICKS,
    Day("clicks", "promoted", "rolled back"),
    *[CLICKS] * 2,
    *[NOTHING] * 2,
    CLICKS,
    UNSEEN,
    Day("clicks", "kept"),
    *[CLICKS] * 2,
    Day("clicks", "promoted", "killed after promotion"),
    *[CLICKS] * 2,
    Day("clicks", "none", "machine off"),
    *[CLICKS] * 4,
]


def month_config() -> dict[str, Any]:
    """configs/nightly.yaml with a network that trains in seconds."""
    content = yaml.safe_load((ROOT / "configs" / "nightly.yaml").read_text())
    content["run_name"] = "month-{date}-{time}"
    content["schedule"] = {"name": NAME, "cron_expression": f"{MINUTE} {HOUR} * * *"}
    content["settings"]["orchestrator.local_scheduled"]["retries"] = 1
    parameters = content["parameters"]
    parameters["data"]["window"] = {"days": 2}
    parameters["features"] = {"min_count": 3}
    parameters["network"] = {"embedding_dim": 4, "hidden": [16, 8], "dropout": 0.0}
    parameters["peers"] = [
        {"architecture": architecture, "seed": seed}
        for seed, architecture in enumerate(ARCHITECTURES, 1)
    ]
    parameters["optimizer"] |= {"batch_rows": 100, "precision": "fp32"}
    parameters["pretraining"] |= {"epochs": 2, "lr": 3e-3}
    parameters["finetuning"] |= {"lr": 1e-3, "weight": 1.0}
    parameters["snapshots"] = {"every_steps": 10}
    parameters["registry"] = {"prefix": NAME}
    # Six hundred test rows. The interval's lower end is above −0.04 on ordinary days and below
    # −0.15 after the opposite law, so that no other machine's last bit turns a verdict.
    parameters["promotion"] |= {
        "auc_at_least": 0.4,
        "auc_gain_at_least": -0.08,
        "logloss_rise_at_most": 0.2,
        "psi_at_most": 50.0,
        "pcoc": {"low": 0.3, "high": 3.0},
        "latency": {"rows": 1, "calls": 20, "p50_ms_at_most": 1e4, "p99_ms_at_most": 1e4},
        "smoke": {"rows": 100, "tolerance": 1e-6},
    }
    return content


@dataclass(frozen=True)
class Night:
    """What was there the morning after."""

    number: int
    day: date
    plan: Day
    brought: str
    champion: int | None
    start: str
    """What the newest version began with; empty where no version came."""
    versions: dict[str, int]
    """How many each registered model has."""
    runs: int
    """Pipeline runs that ZenML knows, in all."""
    alerts: list[dict[str, Any]]
    """Of this night alone."""
    output: str
    """What the scheduler printed."""
    seconds: float
    cpu_seconds: float
    """Of all processes that the night needed."""


@dataclass
class Month:
    """A schedule and the days it has lived through."""

    folder: Path
    tracking_uri: str
    first: date = field(default_factory=lambda: date(datetime.now(ZONE).year + 1, 3, 1))
    """March of the coming year: later than the schedule was made, and the clocks go forward."""
    nights: list[Night] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = MlflowClient(tracking_uri=self.tracking_uri)
        (self.folder / "daily").mkdir()

    def live(self, plan: Day) -> Night:
        """One day and its night. The first one also registers the schedule."""
        began, worked = time.monotonic(), _cpu_seconds()
        number = len(self.nights) + 1
        day = self.first + timedelta(days=number - 1)
        brought = self._deliver(plan, number, day)
        if number == 1:
            (self.folder / "nightly.yaml").write_text(yaml.safe_dump(month_config()))
            self.command("zenml", "pipeline", "run", "dml_finetune", "-c", "nightly.yaml")
        told = len(self._alerts())
        versions = sum(self._versions().values())
        output = "" if plan.happens == "machine off" else self._fire(plan, day)
        if plan.happens == "rolled back":
            output += self.command("mutualctr", "models", "rollback", NAME)
        night = Night(
            number=number,
            day=day,
            plan=plan,
            brought=brought,
            champion=self._champion(),
            start=self._newest_start() if sum(self._versions().values()) > versions else "",
            versions=self._versions(),
            runs=self._runs(),
            alerts=self._alerts()[told:],
            output=output,
            seconds=time.monotonic() - began,
            cpu_seconds=_cpu_seconds() - worked,
        )
        self.nights.append(night)
        return night

    def command(self, name: str, *arguments: str) -> str:
        """The output of a command in a process of its own, which must end well."""
        done = subprocess.run(
            [BIN / name, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _deliver(self, plan: Day, number: int, day: date) -> str:
        """Write the day's file; returns what came, in a word."""
        path = self._file(day)
        if self.nights and self.nights[-1].plan.brings == "broken":
            self._generate(self._file(self.nights[-1].day), number - 1)
        if plan.brings == "opposite":
            self._generate(path, number, math.pi)
            law = path.read_text()
            self._generate(path, LATER + number, math.pi)
            path.write_text(law + path.read_text())
        elif plan.brings != "nothing":
            self._generate(path, number)
        if plan.brings == "broken":
            lines = path.read_text().splitlines(keepends=True)
            lines[7] = "2" + lines[7][1:]  # a label that is neither 0 nor 1
            path.write_text("".join(lines))
        return plan.brings

    def _file(self, day: date) -> Path:
        return self.folder / "daily" / f"{day}.tsv"

    def _generate(self, path: Path, number: int, turned: float = 0.0) -> None:
        generate_criteo(path, ROWS, SEED, number, TURN * (number % LATER) + turned)

    def _fire(self, plan: Day, day: date) -> str:
        """`mutualctr scheduler --once` some minutes after the hour, and again for a retry."""
        now = datetime(day.year, day.month, day.day, HOUR, MINUTE, tzinfo=ZONE).astimezone(UTC)
        now += timedelta(minutes=1)
        seen = {"killed in training": self._is_training, "killed after promotion": self._has_moved}
        with self._killed_when(seen[plan.happens]() if plan.happens in seen else None):
            output = self._scheduler(now)
        if "attempt 2 follows" in output:
            output += self._scheduler(now + timedelta(minutes=5))
        return output

    def _scheduler(self, now: datetime) -> str:
        """The command itself, in this process, at that time."""
        from stack.cli import main

        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            main.main(["scheduler", "--once"], obj=lambda: now, standalone_mode=False)
        return output.getvalue()

    def _is_training(self) -> Callable[[], bool]:
        from zenml.client import Client

        unfinished = Path(Client().active_stack.artifact_store.path) / ".unfinished"
        return lambda: any(unfinished.glob("*/*.safetensors"))

    def _has_moved(self) -> Callable[[], bool]:
        before = self._champion()
        return lambda: self._champion() != before

    @contextlib.contextmanager
    def _killed_when(self, moment: Callable[[], bool] | None) -> Iterator[None]:
        """SIGKILL to the run under way, once the moment is there; or nothing."""
        if moment is None:
            yield
            return
        ended = threading.Event()

        def kill() -> None:
            while not moment():
                if ended.wait(0.02):
                    return
            os.kill(self._running(), signal.SIGKILL)

        watcher = threading.Thread(target=kill)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _running(self) -> int:
        """The process that the scheduler has written down."""
        from stack.scheduling.store import active_jobs, open_state

        (job,) = (job for job in active_jobs() if job.name == NAME)
        with open_state() as state:
            return int(state.get(job.schedule).run.split(":")[0])

    def _models(self) -> list[str]:
        return [m.name for m in self.client.search_registered_models(f"name LIKE '{NAME}%'")]

    def _versions(self) -> dict[str, int]:
        return {
            name: len(self.client.search_model_versions(f"name = '{name}'"))
            for name in self._models()
        }

    def _champion(self) -> int | None:
        if NAME not in self._models():
            return None
        found = self.client.get_registered_model(NAME).aliases.get("champion")
        return found and int(found)

    def _newest_start(self) -> str:
        newest = self.client.search_model_versions(
            f"name = '{NAME}'", max_results=1, order_by=["version_number DESC"]
        )
        return newest[0].tags["start"]

    def _runs(self) -> int:
        from zenml.client import Client

        return Client().list_pipeline_runs(tags=[f"schedule-{NAME}"], size=1).total

    def _alerts(self) -> list[dict[str, Any]]:
        path = self.folder / "outputs" / "alerts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def check(nights: list[Night]) -> None:
    """Compare every morning with what the plan says of it."""
    versions, runs, champion, replaced = 0, 0, None, {}
    for night in nights:
        plan, where = night.plan, f"day {night.number}: {night}"
        runs_version = plan.outcome in ("promoted", "kept")
        began = f"champion {NAME}/{champion}" if champion else "fresh"
        versions += runs_version
        if plan.outcome == "promoted":
            replaced[versions], champion = champion, versions
        if plan.happens == "rolled back":
            champion = replaced[champion]
        told = {"promoted": ["promotion"], "kept": ["kept"], "failed": ["failure"]}
        expected = told.get(plan.outcome, []) if plan.happens != "killed after promotion" else []
        assert [alert["event"] for alert in night.alerts] == expected, where
        assert night.runs - runs == {"silent": 0, "none": 0, "failed": 2}.get(
            plan.outcome, 2 if plan.happens.startswith("killed") else 1
        ), where
        runs = night.runs
        assert night.champion == champion, where
        assert night.start == (began if runs_version else ""), where
        assert night.versions.get(NAME, 0) == versions, where
        for architecture in ARCHITECTURES:
            assert night.versions.get(f"{NAME}-{architecture}", 0) == ARMS * versions, where


def line(night: Night) -> str:
    """One row of the table."""
    plan = night.plan
    happened = ", ".join(filter(None, [plan.brings, plan.happens]))
    champion = f"{NAME}/{night.champion}" if night.champion else "-"
    alerts = "; ".join(f"{alert['event']}: {alert['sentence']}" for alert in night.alerts) or "-"
    return (
        f"{night.day:%a %d %b} | {happened:<30} | {plan.outcome:<8} | {champion:<8} | "
        f"{night.start or '-':<17} | {sum(night.versions.values()):>3} | {night.runs:>2} | "
        f"{night.seconds:>4.0f} s | {night.cpu_seconds:>4.0f} s | {alerts}"
    )


def _cpu_seconds() -> float:
    """Of this process and all that ended under it."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _head() -> str:
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, nice {os.nice(0)}"
    columns = "night | the day brought, and what happened | outcome | champion | began with"
    return (
        f"# make month, {datetime.now(UTC):%Y-%m-%d}, {machine}\n"
        f"# {columns} | versions | runs | took | CPU | told\n"
    )


def main(log: Path) -> None:
    """All thirty nights, in a store that is gone afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="mutualctr-month-"))
    os.environ |= {
        "ZENML_CONFIG_PATH": str(scratch / "zenml"),
        "ZENML_REPOSITORY_PATH": str(scratch / "repository"),
        "ZENML_CUSTOM_SOURCE_ROOT": str(ROOT),
        "ZENML_LOGGING_VERBOSITY": "WARN",
        "PYTHONPATH": str(ROOT),
        "MUTUALCTR_DATA": str(scratch / "work"),
    }
    for folder in ("repository", "work"):
        (scratch / folder).mkdir()
    try:
        from stack.setup import set_up_stack

        month = Month(scratch / "work", set_up_stack(scratch / "repository"))
        with log.open("w", encoding="utf-8", buffering=1) as file:
            file.write(_head())
            for plan in MONTH:
                row = line(month.live(plan)).replace(str(scratch), "…") + "\n"
                file.write(row)
                print(row, end="", flush=True)
                check(month.nights)
            file.write(f"{len(month.nights)} nights, each as planned.\n")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
