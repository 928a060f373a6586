"""`make proof-remote`: the pipeline at a whole site, and what happens when its cluster misbehaves.

Real: ZenML server, PostgreSQL, MLflow server with passwords, the recipe and the configuration that
people start from, ZenML's Kubernetes step operator with the official client, and ours upon it. S3
is moto. The Kubernetes API is fake_kubernetes.py, which runs each job's command as a process here.
Prints what it does; exit code 1 at the first thing that is not as it should be.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "tests" / "stack"), str(ROOT)]

from fake_kubernetes import FakeCluster, fake_cluster  # noqa: E402
from schemas import validate  # noqa: E402
from site_servers import PASSWORD, Site, site  # noqa: E402

BIN = Path(sys.executable).parent
TRAINING = ["pretrain_deepfm_0", "pretrain_dcn_0", "mutual_finetune", "control_finetune"]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mutualctr-site-") as name:
        folder = Path(name)
        say("starting ZenML, PostgreSQL, MLflow, S3 and the Kubernetes API on loopback")
        with site(folder) as here, fake_cluster(folder) as cluster:
            enter(here, cluster)
            prove(here, cluster)
    say("proved")


def enter(here: Site, cluster: FakeCluster) -> None:
    """This process, and every one that it starts, is a person at that site."""
    os.environ.update(
        here.environment
        | {"KUBECONFIG": str(cluster.kubeconfig), "MUTUALCTR_CACHE": str(here.folder / "node")}
        | {"PYTHONPATH": str(ROOT), "ZENML_CUSTOM_SOURCE_ROOT": str(ROOT)}
        | {"MUTUALCTR_DATA": str(here.folder)}
    )


def prove(here: Site, cluster: FakeCluster) -> None:
    make_buckets(here)
    say("MLflow without a password")
    try:
        urllib.request.urlopen(f"{here.mlflow}/api/2.0/mlflow/experiments/search?max_results=1")
        raise SystemExit("MLflow answers anybody")
    except urllib.error.HTTPError as error:
        expect(error.code == 401, f"answer {error.code}")

    say("secrets and the stack of deploy/stacks/kubernetes_gpu.yaml")
    zenml("init", "--path", here.folder)
    stored_secrets()
    flavor = "stack.parallel_orchestrator.LocalParallelFlavor"
    zenml("orchestrator", "flavor", "register", flavor, cwd=ROOT)
    flavor = "stack.kubernetes_flavor.SealedKubernetesFlavor"
    zenml("step-operator", "flavor", "register", flavor, cwd=ROOT)
    zenml("stack", "import", recipe(here, "kubernetes_gpu"))
    zenml("stack", "set", "kubernetes-gpu")
    say("beside its operator `gpu`, which is ours, ZenML's own as `stock`")
    where = ("--kubernetes_context=fake", "--kubernetes_namespace=mutualctr")
    zenml("step-operator", "register", "stock", "--flavor=kubernetes", *where)
    zenml("stack", "update", "kubernetes-gpu", "--step_operator=gpu", "--step_operator=stock")

    say("ZenML's operator; the container of mutual_finetune is killed for memory")
    stock = changed(configuration(here.folder), "stock", operator="stock")
    cluster.faults.killed.add("mutual_finetune")
    fails(run(stock, here.folder), "`mutual_finetune` failed on Kubernetes", "(OOMKilled, exit")

    say("the same command again goes on from there")
    code, output = run(stock, here.folder)
    expect(code == 0, f"exit code {code}")
    cached = output.count("Using cached version of")
    expect(cached == 6, f"{cached} steps cached, both peers among them")
    expect("Test scores" in output, "the table is shown")
    for line in output.splitlines():
        if "`register` has finished" in line or "loaded in" in line:
            expect(True, line.strip())

    say("every training step ran as a job; each manifest is valid Kubernetes")
    jobs = cluster.manifests["jobs"]
    steps = [manifest["metadata"]["labels"]["step_name"] for manifest in jobs]
    expect(sorted(set(steps)) == sorted(TRAINING), f"jobs: {steps}")
    for manifest in jobs:
        validate(manifest, "batch/v1", "Job")
    container = jobs[0]["spec"]["template"]["spec"]["containers"][0]
    expect(container["resources"]["limits"]["nvidia.com/gpu"] == "1", "a GPU is asked for")

    say("where things are")
    show_what_is_where(here)

    say("our operator, on another learning rate; the container of mutual_finetune is killed")
    jobs.clear()
    config = changed(configuration(here.folder), "ours", lr=5e-5)
    cluster.faults.killed.add("mutual_finetune")
    fails(run(config, here.folder), "`mutual_finetune` failed on Kubernetes", "(OOMKilled, exit")

    say("the API answers 500 for good")
    cluster.faults.errors = 10**6
    fails(run(config, here.folder), "the cluster's API cannot be asked (500)")
    cluster.faults.errors = 0

    say("control_finetune never starts")
    cluster.faults.never_starts.add("control_finetune")
    short = changed(config, "short", deadline_hours=20 / 3600)
    fails(run(short, here.folder), "its container never started (ImagePullBackOff")
    cluster.faults.never_starts.clear()

    say("someone deletes the job of control_finetune")
    cluster.faults.deleted.add("control_finetune")
    fails(run(config, here.folder), "`control_finetune` failed on Kubernetes: its job is gone")

    say("and the same command again completes")
    code, output = run(config, here.folder)
    expect(code == 0, f"exit code {code}")
    cached = output.count("Using cached version of")
    expect(cached >= 6, f"{cached} steps cached")
    expect(PASSWORD not in json.dumps(jobs), "no password stands in a job")
    expect("ZENML_STORE_API_TOKEN" not in json.dumps(jobs), "and no token")
    secrets = cluster.manifests["secrets"]
    expect(len(secrets) == len(jobs), f"{len(jobs)} jobs, {len(secrets)} Secrets with it")
    for secret in secrets:
        validate(secret, "v1", "Secret")


def fails(done: tuple[int, str], *words: str) -> None:
    """Exit code 1, and the last line says all the words and how to go on."""
    code, output = done
    last = output.strip().splitlines()[-1]
    words += ("Finished steps are kept: the same command goes on from there.",)
    expect(code == 1 and all(word in last for word in words), f"exit code {code}: {last}")


def stored_secrets() -> None:
    """What the recipes name by {{…}}."""
    zenml("secret", "create", "mlflow", "--username=admin", f"--password={PASSWORD}")
    zenml("secret", "create", "s3", "--key=test", "--secret=test")


def recipe(here: Site, name: str, **orchestrator: Any) -> Path:
    """The recipe as a person would edit it: this site's names in place of the examples."""
    text = (ROOT / "deploy" / "stacks" / f"{name}.yaml").read_text()
    components = (content := yaml.safe_load(text))["components"]
    components["experiment_tracker"][0]["configuration"]["tracking_uri"] = here.mlflow
    components["artifact_store"][0]["configuration"] |= {
        "path": "s3://artifacts/mutualctr", "client_kwargs": {"endpoint_url": here.s3},
    }  # fmt: skip
    for kind in ("orchestrator", "step_operator"):
        for component in components.get(kind, []):
            if "kubernetes_context" in component["configuration"]:
                component["configuration"]["kubernetes_context"] = "fake"
    components["orchestrator"][0]["configuration"] |= orchestrator
    path = here.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def changed(config: Path, name: str, lr: float | None = None, **resources: Any) -> Path:
    """The same run with other resources or another learning rate."""
    content = yaml.safe_load(config.read_text())
    for part in content["parameters"]["resources"].values():
        part.update(resources)
    if lr is not None:
        content["parameters"]["finetuning"]["lr"] = lr
    path = config.with_name(f"{name}.yaml")
    path.write_text(yaml.safe_dump(content))
    return path


def configuration(folder: Path) -> Path:
    """configs/kubernetes.yaml with generated clicks and two small peers."""
    content = yaml.safe_load((ROOT / "configs" / "kubernetes.yaml").read_text())
    content["run_name"] = "proof-{date}-{time}"
    parameters: dict[str, Any] = content["parameters"]
    parameters["data"] = {"contract": "criteo", "generated": {"rows": 2000, "seed": 7}}
    parameters["network"] = {"embedding_dim": 4, "hidden": [8], "dropout": 0.0}
    parameters["peers"] = [
        {"architecture": "deepfm", "seed": 1}, {"architecture": "dcn", "seed": 2},
    ]  # fmt: skip
    parameters["pretraining"]["epochs"] = 1
    for part in parameters["resources"].values():
        part["deadline_hours"] = 300 / 3600
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def run(config: Path, folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [BIN / "zenml", "pipeline", "run", "dml_finetune", "-c", config],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"ZENML_LOGGING_COLORS_DISABLED": "true"},
    )  # fmt: skip
    for line in done.stdout.strip().splitlines()[-12:]:
        print("    |", line)
    (folder / f"run-{time.time():.0f}.log").write_text(done.stdout)
    return done.returncode, done.stdout


def zenml(*arguments: Any, cwd: Path | None = None) -> None:
    done = subprocess.run(
        [BIN / "zenml", *arguments], cwd=cwd or os.environ["ZENML_REPOSITORY_PATH"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    shown = " ".join(str(a) for a in arguments).replace(PASSWORD, "…")
    expect(done.returncode == 0, f"zenml {shown}{'' if done.returncode == 0 else done.stdout}")


def make_buckets(here: Site) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=here.s3)
    for bucket in ("artifacts", "mlflow"):
        client.create_bucket(Bucket=bucket)


def show_what_is_where(here: Site) -> None:
    import boto3
    from mlflow.tracking import MlflowClient

    versions = MlflowClient(here.mlflow).search_model_versions()
    of_peers = [version for version in versions if version.name.startswith("ctr-")]
    expect(len(of_peers) == 6, f"{len(of_peers)} versions of 2 peers in 3 phases")
    expect(len(versions) == 7, "and one of `ctr`, which went through the gate")
    client = boto3.client("s3", endpoint_url=here.s3)
    for bucket in ("artifacts", "mlflow"):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        expect(len(keys) > 5, f"{len(keys)} objects in s3://{bucket}")
        suspects = [key for key in keys if key.endswith((".pkl", ".pickle", ".tar.gz"))]
        expect(
            not [key for key in suspects if "/code" not in key], f"no pickle, no tar: {suspects}"
        )
    rows = subprocess.check_output(
        ["psql", here.postgres.replace("+pg8000", "") + "/runs", "-Atc",
         "select count(*) from runs; select count(*) from model_versions"], text=True,
    )  # fmt: skip
    expect(rows.split()[1] == "7", f"PostgreSQL: {rows.split()} runs, model versions")


def expect(holds: bool, words: str) -> None:
    print(f"    {'ok ' if holds else 'NOT'} {words}", flush=True)
    if not holds:
        raise SystemExit(1)


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)


if __name__ == "__main__":
    main()
