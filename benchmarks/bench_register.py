"""How long does the step `register` take where MLflow is a server, its artifacts on S3?

    python -m benchmarks.bench_register --turns 3

Runs the pipeline once on generated clicks in a scratch stack, then publishes what it trained, as
the step does, to an MLflow server with passwords on PostgreSQL and S3 by moto (tests/cluster): in
turns with the code of a version as one zip, which is how it is, and file by file, as it was.
Every turn is an experiment of its own with versions of its own. Prints seconds, CPU seconds of this
process and requests per turn, and medians. Needs what the tests need, and PostgreSQL.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / room) for room in ("cluster", "stack")]
WAYS = ("one zip", "file by file")


@dataclass(frozen=True)
class Taken:
    """One turn."""

    seconds: float
    cpu_seconds: float
    requests: int


def main() -> None:
    """Train once, publish in turns, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory(prefix="mutualctr-register-") as name, ExitStack() as servers:
        folder = Path(name)
        publish, trained = _trained(folder)
        url = _serve(folder, servers)
        found: dict[str, list[Taken]] = {way: [] for way in WAYS}
        for turn in range(turns):
            for way in WAYS if turn % 2 == 0 else WAYS[::-1]:
                taken = _publish(url, f"{way.replace(' ', '-')}-{turn}", way, publish, trained)
                found[way].append(taken)
                print(f"turn {turn}, {way}: {taken}", flush=True)
    for way, taken in found.items():
        seconds = sorted(round(t.seconds, 1) for t in taken)
        print(
            f"{way}: median {statistics.median(seconds)} s of {seconds}, "
            f"{statistics.median(t.cpu_seconds for t in taken):.1f} s of CPU, "
            f"{taken[0].requests} requests, {len(trained)} versions"
        )


def _trained(folder: Path) -> tuple[Callable[..., Any], list[Any]]:
    """What the step gets: `publish` with all but tracker and checkpoints filled in; those."""
    place = {"ZENML_CONFIG_PATH": str(folder / "zenml"), "ZENML_REPOSITORY_PATH": str(folder)}
    os.environ.update(place | {"PYTHONPATH": str(ROOT)})
    from zenml.client import Client

    from mutualctr.config import RunConfig
    from mutualctr.registry.publish import publish
    from mutualctr.trained import all_trained
    from stack.setup import set_up_stack

    set_up_stack(folder)
    content = yaml.safe_load((ROOT / "zenml_config.yaml").read_text())
    parameters = content["parameters"]
    parameters["data"] = {"contract": "criteo", "generated": {"rows": 2000, "seed": 7}}
    parameters["network"] = {"embedding_dim": 4, "hidden": [8], "dropout": 0.0}
    parameters["peers"] = [
        {"architecture": "deepfm", "seed": 1}, {"architecture": "dcn", "seed": 2},
    ]  # fmt: skip
    parameters["pretraining"]["epochs"] = 1
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    zenml = Path(sys.executable).with_name("zenml")
    command = [zenml, "pipeline", "run", "dml_finetune", "-c", "run.yaml"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    run = Client().list_pipeline_runs(pipeline="dml_finetune", hydrate=True).items[0]
    config = RunConfig.model_validate(run.config.parameters)

    def load(step: str, name: str) -> Any:
        return run.steps[step].outputs[name][0].load()

    from mutualctr.cohort import groups_of

    peers = [peer for cohort in groups_of(config) for peer in cohort]
    pretrained = [load(f"pretrain_{peer.name.replace('-', '_')}", "pretrained") for peer in peers]
    arms = [[load(f"{arm}_finetune", arm)] for arm in ("control", "mutual")]
    validation, blocks = load("validate", "validation"), load("encode", "blocks")
    report = load("evaluate", "report")

    def filled(tracker: Any, prefix: str, trained: list[Any]) -> Any:
        registry = config.registry.model_copy(update={"prefix": prefix})
        own = config.model_copy(update={"registry": registry})
        return publish(tracker, run.name, own, validation, blocks, report, trained)

    return filled, all_trained(peers, pretrained, *arms)


def _serve(folder: Path, servers: ExitStack) -> str:
    import boto3
    import site_servers

    s3 = servers.enter_context(site_servers._s3(folder))
    postgres = servers.enter_context(site_servers._postgres(folder))
    url = servers.enter_context(site_servers._mlflow(folder, postgres, s3))
    os.environ.update(site_servers.AWS)
    os.environ["MLFLOW_TRACKING_USERNAME"] = "admin"
    os.environ["MLFLOW_TRACKING_PASSWORD"] = site_servers.PASSWORD
    boto3.client("s3", endpoint_url=s3).create_bucket(Bucket="mlflow")
    return url


def _publish(
    url: str, name: str, way: str, publish: Callable[..., Any], trained: list[Any]
) -> Taken:
    import mlflow
    from mlflow.tracking import MlflowClient

    from mutualctr.registry.tracking import Tracker

    mlflow.set_tracking_uri(url)
    mlflow.set_experiment(name)
    with mlflow.start_run() as run, _counted() as count, _way(way):
        tracker = Tracker(MlflowClient(), run.info.run_id)
        own = [
            replace(item, run_id=tracker.open_child(f"{item.peer.name} {item.arm}", {}))
            for item in trained
        ]
        count[0], began, cpu = 0, time.perf_counter(), time.process_time()
        publish(tracker, name, own)
        return Taken(time.perf_counter() - began, time.process_time() - cpu, count[0])


@contextmanager
def _way(way: str) -> Iterator[None]:
    """File by file: the rooms that serving imports from, as folders."""
    import mlflow

    real = mlflow.pyfunc.log_model

    def log_model(**options: Any) -> Any:
        if way == WAYS[1]:
            options["code_paths"] = [str(ROOT / "mutualctr"), str(ROOT / "models")]
        return real(**options)

    with patch.object(mlflow.pyfunc, "log_model", log_model):
        yield


@contextmanager
def _counted() -> Iterator[list[int]]:
    import requests

    count, real = [0], requests.Session.request

    def request(*arguments: Any, **options: Any) -> Any:
        count[0] += 1
        return real(*arguments, **options)

    with patch.object(requests.Session, "request", request):
        yield count


if __name__ == "__main__":
    main()
