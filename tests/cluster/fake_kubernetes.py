"""A Kubernetes API server small enough to read, whose jobs really run.

It keeps Jobs, their Pods, CronJobs and Secrets, answers what the official client asks over HTTP,
and plays scheduler, kubelet, job controller and garbage collector in one: a job's container becomes
a process on this machine, with the job's command and environment, and none of our own credentials.
No admission, no images, no network. What can go wrong on a cluster is switched on by name in
`Faults`.
"""

import base64
import copy
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlparse
from zoneinfo import ZoneInfo

import yaml
from croniter import croniter

NOW = "2026-01-01T00:00:00Z"
COLLECTIONS = ("jobs", "pods", "cronjobs", "secrets")
CREDENTIALS = (
    "ZENML_STORE_USERNAME", "ZENML_STORE_PASSWORD", "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
)  # fmt: skip
"""Of the person at the shell; no pod has them."""


@dataclass
class Faults:
    """What goes wrong; a step name stands for its jobs."""

    errors: int = 0
    """So many further requests end with 500."""
    never_starts: set[str] = field(default_factory=set)
    killed: set[str] = field(default_factory=set)
    """The container is killed (137, OOMKilled) as soon as it runs; once per name."""
    deleted: set[str] = field(default_factory=set)
    """Someone deletes the job as soon as it runs; once per name."""
    forbidden: set[str] = field(default_factory=set)
    """Collections in which nothing may be made: 403."""


class FakeCluster:
    """The server and everything that it keeps."""

    def __init__(self, folder: Path) -> None:
        self.faults = Faults()
        self.objects: dict[str, dict[str, Any]] = {name: {} for name in COLLECTIONS}
        self.manifests: dict[str, list[dict[str, Any]]] = {name: [] for name in COLLECTIONS}
        """Everything as it was posted."""
        self.requests: list[str] = []
        self.log = folder / "kubelet.log"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._looked: dict[str, datetime] = {}
        cluster = self

        class Handler(_Handler):
            pass

        Handler.cluster = cluster
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(self.url)))

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()

    def take_job(self, job: dict[str, Any]) -> None:
        """What the job controller and the kubelet do with a new job."""
        job["status"] = {"active": 1, "startTime": NOW}
        pod = _pod_of(job)
        self.objects["pods"][pod["metadata"]["name"]] = pod
        threading.Thread(target=self._run, args=(job, pod), daemon=True).start()

    def _run(self, job: dict[str, Any], pod: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        step = (job["metadata"].get("labels") or {}).get("step_name", name)
        state = pod["status"]["containerStatuses"][0]
        if step in self.faults.never_starts:
            state["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
            deadline = job["spec"].get("activeDeadlineSeconds")
            if deadline is not None:
                time.sleep(deadline)
                _fail(job, "DeadlineExceeded")
            return
        container = job["spec"]["template"]["spec"]["containers"][0]
        command = [*(container.get("command") or []), *(container.get("args") or [])]
        command[0] = sys.executable if command[0] == "python" else command[0]
        environment = {k: v for k, v in os.environ.items() if k not in CREDENTIALS}
        environment |= {"HOSTNAME": pod["metadata"]["name"], "PYTHONPATH": _python_path()}
        home = self.log.with_name("pods") / pod["metadata"]["name"]
        home.mkdir(parents=True)
        environment |= {"ZENML_CONFIG_PATH": str(home), "ZENML_REPOSITORY_PATH": str(home)}
        state["state"] = {"waiting": {"reason": "CreateContainerConfigError", "message": "secret"}}
        while (own := self._environment(container)) is None:
            if name not in self.objects["jobs"]:
                return
            time.sleep(0.05)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, env=environment | own, cwd=home, stdout=log, stderr=subprocess.STDOUT
            )
        self._processes[name] = process
        pod["status"]["phase"] = "Running"
        state["state"] = {"running": {"startedAt": NOW}}
        if step in self.faults.killed:
            self.faults.killed.discard(step)
            process.kill()
        if step in self.faults.deleted:
            self.faults.deleted.discard(step)
            self.delete("jobs", name)
        code = process.wait()
        code = 128 - code if code < 0 else code
        reason = {0: "Completed", 137: "OOMKilled"}.get(code, "Error")
        state["state"] = {"terminated": {"exitCode": code, "reason": reason}}
        pod["status"]["phase"] = "Succeeded" if code == 0 else "Failed"
        if code == 0:
            job["status"] = {
                "succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}],
            }  # fmt: skip
        else:
            _fail(job, "BackoffLimitExceeded")

    def _environment(self, container: dict[str, Any]) -> dict[str, str] | None:
        """The container's own variables; None while a Secret is absent."""
        found = {}
        for source in container.get("envFrom") or []:
            content = self.secret(source["secretRef"]["name"])
            if content is None:
                return None
            found |= content
        for variable in container.get("env") or []:
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
            content = self.secret(reference["name"]) if reference else {}
            if content is None:
                return None
            found[variable["name"]] = (
                content[reference["key"]] if reference else variable.get("value", "")
            )
        return found

    def secret(self, name: str) -> dict[str, str] | None:
        """The content of a Secret, decoded."""
        found = self.objects["secrets"].get(name)
        return None if found is None else content_of(found)

    def look(self, now: datetime) -> list[str]:
        """What the CronJob controller does at that time: the jobs that it starts, by name.

        A CronJob seen for the first time is due from then on. Of several missed firings the newest
        is started, if it is not later than its deadline; under Forbid none beside another.
        """
        started = []
        for name, cron_job in self.objects["cronjobs"].items():
            spec = cron_job["spec"]
            clock = now.astimezone(ZoneInfo(spec.get("timeZone") or "UTC"))
            due = croniter(spec["schedule"], clock + timedelta(seconds=1)).get_prev(datetime)
            since = self._looked.setdefault(name, now)
            jobs = [job for job in self.objects["jobs"].values() if _owned_by(job, name)]
            busy = any(not job["status"].get("conditions") for job in jobs)
            deadline = spec.get("startingDeadlineSeconds")
            late = deadline is not None and (now - due).total_seconds() > deadline
            if (
                spec.get("suspend")
                or due <= since
                or (busy and spec["concurrencyPolicy"] == "Forbid")
            ):
                continue
            self._looked[name] = now
            if not late:
                started.append(self._fire(cron_job, f"{name}-{due:%s}"))
        return started

    def _fire(self, cron_job: dict[str, Any], name: str) -> str:
        job = copy.deepcopy(cron_job["spec"]["jobTemplate"]) | {"kind": "Job"}
        job["metadata"] = made = dict(job.get("metadata") or {})
        owner = {"kind": "CronJob", **{k: cron_job["metadata"][k] for k in ("name", "uid")}}
        made |= {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": NOW}
        made |= {"ownerReferences": [owner]}
        self.objects["jobs"][name] = job
        self.take_job(job)
        return name

    def delete(self, collection: str, name: str) -> bool:
        gone = self.objects[collection].pop(name, None)
        process = self._processes.get(name)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
        for pod in [
            pod_name
            for pod_name, pod in self.objects["pods"].items()
            if pod["metadata"]["labels"].get("job-name") == name
        ]:
            del self.objects["pods"][pod]
        uid = gone["metadata"]["uid"] if gone else ""
        for secret in [
            secret_name
            for secret_name, secret in self.objects["secrets"].items()
            if uid in [owner["uid"] for owner in secret["metadata"].get("ownerReferences") or []]
        ]:
            del self.objects["secrets"][secret]
        return gone is not None


def content_of(secret: dict[str, Any]) -> dict[str, str]:
    """What a Secret keeps, decoded."""
    data = secret.get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@contextmanager
def fake_cluster(folder: Path) -> Iterator[FakeCluster]:
    """A running server; $KUBECONFIG points at it meanwhile."""
    cluster = FakeCluster(folder)
    cluster.start()
    place = str(cluster.kubeconfig)
    location = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"  # read at import only
    try:
        with patch.dict(os.environ, KUBECONFIG=place), patch(location, place):
            yield cluster
    finally:
        cluster.stop()


class _Handler(BaseHTTPRequestHandler):
    cluster: FakeCluster
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.cluster.requests.append(f"{method} {self.path}")
        if self.cluster.faults.errors > 0:
            self.cluster.faults.errors -= 1
            self._send(500, _status(500, "InternalError"))
            return
        url = urlparse(self.path)
        parts = url.path.strip("/").split("/")
        collection = next((name for name in COLLECTIONS if name in parts), None)
        if collection is None:
            self._send(200, {"kind": "Status", "status": "Success"})
            return
        rest = parts[parts.index(collection) + 1 :]
        objects = self.cluster.objects[collection]
        if method == "POST" and collection in self.cluster.faults.forbidden:
            self._send(403, _status(403, "Forbidden"))
        elif method == "POST":
            made = json.loads(body)
            self.cluster.manifests[collection].append(json.loads(body))
            fill_in(made)
            made["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": NOW}
            objects[made["metadata"]["name"]] = made
            if collection == "jobs":
                self.cluster.take_job(made)
            self._send(201, made)
        elif not rest:
            selector = parse_qs(url.query).get("labelSelector", [""])[0]
            chosen = [item for item in objects.values() if _matches(item, selector)]
            self._send(200, {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": chosen})
        elif method == "DELETE":
            found = self.cluster.delete(collection, rest[0])
            self._send(200 if found else 404, _status(200 if found else 404, "NotFound"))
        elif rest[1:] == ["log"]:
            self._send_bytes(200, b"", "text/plain")  # the kubelet's one log has them all
        elif rest[0] not in objects:
            self._send(404, _status(404, "NotFound"))
        else:
            if method == "PATCH":
                _merge(objects[rest[0]], json.loads(body))
            self._send(200, objects[rest[0]])

    def _send(self, code: int, content: dict[str, Any]) -> None:
        self._send_bytes(code, json.dumps(content).encode(), "application/json")

    def _send_bytes(self, code: int, data: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _pod_of(job: dict[str, Any]) -> dict[str, Any]:
    template = job["spec"]["template"]
    name = f"{job['metadata']['name']}-{uuid.uuid4().hex[:5]}"
    labels = {**(template["metadata"].get("labels") or {}), "job-name": job["metadata"]["name"]}
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job["metadata"]["name"],
        "uid": job["metadata"]["uid"],
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "labels": labels,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": NOW,
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Pending",
            "containerStatuses": [
                {
                    "name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 0,
                    "state": {"waiting": {"reason": "ContainerCreating"}},
                }
            ],
        },
    }  # fmt: skip


def _owned_by(item: dict[str, Any], name: str) -> bool:
    return name in [owner["name"] for owner in item["metadata"].get("ownerReferences") or []]


def _python_path() -> str:
    place = str(Path(__file__).with_name("pod"))
    return os.pathsep.join(filter(None, [place, os.environ.get("PYTHONPATH", "")]))


def _fail(job: dict[str, Any], reason: str) -> None:
    condition = {"type": "Failed", "status": "True", "reason": reason}
    job["status"] = {"failed": 1, "conditions": [condition]}


def fill_in(node: Any) -> None:
    """Of all that a server fills in, what clients stumble over: a pod condition is met by True."""
    if isinstance(node, list):
        for item in node:
            fill_in(item)
    elif isinstance(node, dict):
        for condition in node.get("onPodConditions") or []:
            condition.setdefault("status", "True")
        for value in node.values():
            fill_in(value)


def _merge(whole: dict[str, Any], change: dict[str, Any]) -> None:
    """A merge patch, without its removals."""
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(whole.get(key), dict):
            _merge(whole[key], value)
        elif value is not None:
            whole[key] = value


def _matches(item: dict[str, Any], selector: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    wanted = dict(pair.split("=", 1) for pair in selector.split(",") if pair)
    return all(labels.get(key) == value for key, value in wanted.items())


def _status(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason}


def _kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": "none"}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
        "current-context": "fake",
    }
