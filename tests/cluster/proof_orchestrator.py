"""`make proof-remote`, second part: every step a pod, tonight by hand and tomorrow by a CronJob.

ZenML's Kubernetes orchestrator, ours upon it, and deploy/stacks/kubernetes.yaml against the servers
of proof_remote.py. ZenML's own orchestrator pod runs here as a process and starts the jobs of all
steps through the API of fake_kubernetes.py, with the token from a Secret; so does the pod of a
CronJob whose time has come on the clock that this script turns.
"""

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "tests" / "stack"), str(ROOT)]

from fake_kubernetes import FakeCluster, content_of, fake_cluster, fill_in  # noqa: E402
from proof_remote import (  # noqa: E402
    configuration,
    enter,
    expect,
    fails,
    make_buckets,
    recipe,
    run,
    say,
    stored_secrets,
    zenml,
)
from schemas import validate  # noqa: E402
from site_servers import Site, site  # noqa: E402

GPU_STEPS = {"pretrain_deepfm_0", "pretrain_dcn_0", "mutual_finetune", "control_finetune"}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mutualctr-pods-") as name:
        folder = Path(name)
        say("starting ZenML, PostgreSQL, MLflow, S3 and the Kubernetes API on loopback")
        with site(folder) as here, fake_cluster(folder) as cluster:
            enter(here, cluster)
            prove(here, cluster)
    say("proved")


def prove(here: Site, cluster: FakeCluster) -> None:
    make_buckets(here)
    say("secrets and the stack of deploy/stacks/kubernetes.yaml")
    zenml("init", "--path", here.folder)
    stored_secrets()
    flavor = "stack.kubernetes_flavor.ScheduledKubernetesFlavor"
    zenml("orchestrator", "flavor", "register", flavor, cwd=ROOT)
    zenml("stack", "import", recipe(here, "kubernetes", synchronous=True))
    zenml("stack", "set", "kubernetes")
    config = yaml.safe_load(configuration(here.folder).read_text())
    for part in config["parameters"]["resources"].values():
        part["operator"] = None

    say("every step as a pod; that of mutual_finetune is killed for memory")
    cluster.faults.killed.add("mutual_finetune")
    by_hand = written(here, "by-hand", config)
    fails(run(by_hand, here.folder), "`mutual_finetune` failed on Kubernetes", "(OOMKilled, exit")

    say("the same command again goes on from there")
    code, output = run(by_hand, here.folder)
    if code != 0:
        print(cluster.log.read_text()[-4000:])
    expect(code == 0, f"exit code {code}")
    expect("Test scores" in output, "the table is shown")
    jobs = cluster.manifests["jobs"]
    by_step = {job["metadata"]["annotations"].get("zenml.io/step-name"): job for job in jobs}
    steps = ("ingest", "validate", "split", "encode", *sorted(GPU_STEPS), "evaluate", "register")
    missing = {*steps, "promote"} - set(by_step)
    expect(
        not missing, f"{len(by_step)} jobs, the orchestrator's among them; without one: {missing}"
    )
    for step, job in by_step.items():
        fill_in(job)  # the schema asks for what a server would add
        validate(job, "batch/v1", "Job", versions=("1.34",))
        pod = job["spec"]["template"]["spec"]
        limits = pod["containers"][0]["resources"].get("limits") or {}
        asks = [bool(limits.get("nvidia.com/gpu")), bool(job["spec"].get("activeDeadlineSeconds"))]
        asks += [bool(pod.get("nodeSelector")), bool(pod.get("tolerations"))]
        if set(asks) != {step in GPU_STEPS}:
            expect(False, f"{step}: GPU, deadline, selector, toleration are {asks}")
    expect(True, "the training steps' jobs have GPU, selector, toleration, deadline; no other has")
    no_token_in(cluster)
    finished(2)

    with listening() as (url, told):
        zenml("secret", "create", "alerts", f"--url={url}")
        prove_schedule(here, cluster, config, told)


def prove_schedule(
    here: Site, cluster: FakeCluster, config: dict[str, Any], told: list[dict[str, Any]]
) -> None:
    say("a schedule becomes a CronJob")
    config["schedule"] = {"name": "nightly", "cron_expression": "0 3 * * *"}
    config["settings"]["orchestrator.local_scheduled"] = {
        "time_zone": "Europe/Berlin", "missed_runs": "run_once", "retries": 0,
        "retry_delay_seconds": 1, "retry_delay_cap_seconds": 1,
    }  # fmt: skip
    events = ["failure", "promotion", "kept"]
    hook = {"kind": "webhook", "url": {"zenml": "alerts.url"}, "events": events}
    config["extra"] = {"alerts": [hook]}
    code, _ = run(written(here, "nightly", config), here.folder)
    expect(code == 0, f"exit code {code}")
    (name,) = cluster.objects["cronjobs"]
    (posted,) = cluster.manifests["cronjobs"]
    fill_in(posted)
    validate(posted, "batch/v1", "CronJob", versions=("1.34",))
    spec = posted["spec"]
    when = f"{spec['schedule']} {spec['timeZone']}"
    expect(when == "0 3 * * * Europe/Berlin", f"{name}: {when}")
    expect(spec["concurrencyPolicy"] == "Forbid", "one night at a time")
    expect(cluster.look(at(27, 1, 59)) == [], "nothing at 01:59 UTC")

    say("three o'clock in Berlin, 02:00 UTC; the pod of `promote` is killed for memory")
    cluster.faults.killed.add("promote")
    (job,) = cluster.look(at(27, 2))
    expect(cluster.look(at(28, 2)) == [], "the next night does not start beside it")
    ended = end_of(cluster, job)
    expect(ended == "Failed", f"{job} is {ended}")
    (message,) = told
    expect(message["event"] == "failure", f"told: {message['event']}: {message['sentence']}")
    expect("`promote` failed on Kubernetes" in message["sentence"], "and why")
    told.clear()

    say("the next night")
    (job,) = cluster.look(at(28, 2, 1))
    ended = end_of(cluster, job)
    if ended != "Complete":
        print(cluster.log.read_text()[-4000:])
    expect(ended == "Complete", f"{job} is {ended}")
    (message,) = told
    expect(message["event"] == "kept", f"told: {message['event']}: {message['sentence']}")
    no_token_in(cluster)
    finished(4)

    say("the schedule is deleted")
    zenml("pipeline", "schedule", "delete", "nightly", "-y")
    left = (cluster.objects["cronjobs"], cluster.objects["secrets"])
    expect(left == ({}, {}), "neither the CronJob nor a Secret is left")


def at(day: int, *time: int) -> datetime:
    return datetime(2026, 11, day, *time, tzinfo=UTC)


def end_of(cluster: FakeCluster, job: str) -> str:
    while not (ended := cluster.objects["jobs"][job]["status"].get("conditions")):
        sleep(1)
    return ended[0]["type"]


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server's address, and what was posted there."""
    told: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", told
    finally:
        server.shutdown()
        server.server_close()


def written(here: Site, name: str, content: dict[str, Any]) -> Path:
    path = here.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def no_token_in(cluster: FakeCluster) -> None:
    secrets = cluster.manifests["secrets"]
    tokens = {token for secret in secrets for token in content_of(secret).values()}
    expect(bool(tokens), f"{len(tokens)} tokens, each in a Secret")
    whole = json.dumps([cluster.manifests["jobs"], cluster.manifests["cronjobs"]])
    expect(not [token for token in tokens if token in whole], "none stands in another manifest")


def finished(runs: int) -> None:
    from zenml.client import Client

    found = Client().list_pipeline_runs(hydrate=True, sort_by="desc:created").items
    newest = found[0]
    expect(len(found) == runs, f"{len(found)} runs")
    expect(newest.status.value == "completed", f"the run is {newest.status.value}")
    states = [step.status.value for step in newest.steps.values()]
    counts = {state: states.count(state) for state in sorted(set(states))}
    expect(set(counts) == {"completed", "cached"}, f"steps: {counts}")


if __name__ == "__main__":
    main()
