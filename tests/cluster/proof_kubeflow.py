"""`make proof-kubeflow`: the pipeline through the Kubeflow flavour, its IR executed task by task.

Real: ZenML server, kfp's compiler, the IR YAML, the command and environment of every task. Instead
of Kubeflow a few lines here walk the IR's DAG and run each container's command as a process.
"""

import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "cluster"), str(ROOT / "tests" / "stack"), str(ROOT)]

import yaml  # noqa: E402
from fake_kubernetes import CREDENTIALS  # noqa: E402
from proof_remote import (  # noqa: E402
    configuration,
    expect,
    make_buckets,
    recipe,
    say,
    stored_secrets,
    zenml,
)
from site_servers import Site, site  # noqa: E402

SECRETS: dict[str, dict[str, str]] = {}
"""The cluster's, by name."""
GPU_STEPS = {"pretrain-deepfm-0", "pretrain-dcn-0", "mutual-finetune", "control-finetune"}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mutualctr-kubeflow-") as name:
        folder = Path(name)
        say("starting ZenML, PostgreSQL, MLflow and S3 on loopback")
        with site(folder) as here:
            os.environ.update(
                here.environment
                | {"PYTHONPATH": str(ROOT), "ZENML_CUSTOM_SOURCE_ROOT": str(ROOT)}
                | {"MUTUALCTR_DATA": str(folder), "MUTUALCTR_CACHE": str(folder / "node")}
            )
            prove(here)
    say("proved")


def prove(here: Site) -> None:
    make_buckets(here)
    zenml("init", "--path", here.folder)
    flavor = "stack.kubeflow.FixedKubeflowFlavor"
    zenml("orchestrator", "flavor", "register", flavor, cwd=ROOT)
    say("the stack of deploy/stacks/kubeflow.yaml")
    stored_secrets()
    zenml("stack", "import", recipe(here, "kubeflow"))
    zenml("stack", "set", "kubeflow")
    say("a service account, whose key is what the recipe's Secret holds")
    from zenml.client import Client

    account = Client().create_service_account("kubeflow-steps")
    key = Client().create_api_key(account.id, "steps")
    SECRETS["zenml-store"] = {"ZENML_STORE_API_KEY": key.key}

    config = yaml.safe_load(configuration(here.folder).read_text())
    for part in config["parameters"]["resources"].values():
        part["operator"] = None
        part.pop("deadline_hours", None)  # one record, twice, where YAML has an alias
    (here.folder / "run.yaml").write_text(yaml.safe_dump(config))

    say("compiling; then each task of the IR as a process")
    from pipelines.dml_finetune import dml_finetune
    from stack.kubeflow_orchestrator import FixedKubeflowOrchestrator

    FixedKubeflowOrchestrator._upload_and_run_pipeline = execute
    dml_finetune.with_options(config_path=str(here.folder / "run.yaml"))()

    (run,) = Client().list_pipeline_runs(hydrate=True).items
    expect(run.status.value == "completed", f"the run is {run.status.value}")
    statuses = {step.status.value for step in run.steps.values()}
    expect(statuses == {"completed"}, f"{len(run.steps)} steps completed")


def execute(self: Any, snapshot: Any, pipeline_file_path: str, run_name: str) -> None:
    """In place of uploading: the tasks in an order that their dependencies allow."""
    text = Path(pipeline_file_path).read_text()
    expect("API_TOKEN" not in text and "ZENML_STORE_PASSWORD" not in text, "no token in the YAML")
    documents = list(yaml.safe_load_all(text))
    ir, platform = documents[0], documents[1]["platforms"]["kubernetes"]["deploymentSpec"]
    executors, tasks = ir["deploymentSpec"]["executors"], ir["root"]["dag"]["tasks"]
    run_id, done = f"run-{uuid.uuid4().hex[:8]}", set()
    while len(done) < len(tasks):
        ready = [n for n, t in tasks.items() if n not in done
                 and set(t.get("dependentTasks", [])) <= done]  # fmt: skip
        expect(bool(ready), f"ready: {', '.join(ready)}")
        for name in ready:
            label = ir["components"][tasks[name]["componentRef"]["name"]]["executorLabel"]
            container = executors[label]["container"]
            gpus = container.get("resources", {}).get("accelerator", {}).get("resourceCount")
            placed = platform["executors"][label]
            selector = placed.get("nodeSelector")
            if name in GPU_STEPS:
                expect(gpus == "1" and selector is not None, f"{name} asks for a GPU and a place")
            environment = {
                e["name"]: e["value"].replace("{{$.pipeline_job_name}}", run_id)
                for e in container["env"]
            }
            for secret in placed["secretAsEnv"]:
                for pair in secret["keyToEnv"]:
                    environment[pair["envVar"]] = SECRETS[secret["secretName"]][pair["secretKey"]]
            ours = {k: v for k, v in os.environ.items() if k not in CREDENTIALS}
            process = subprocess.run(
                [sys.executable, *container["command"][1:], *container["args"]],
                env=ours | environment, capture_output=True, text=True,
            )  # fmt: skip
            wrong = (
                "" if process.returncode == 0 else process.stdout[-2000:] + process.stderr[-2000:]
            )
            expect(process.returncode == 0, f"{name} exit code {process.returncode}{wrong}")
            done.add(name)


if __name__ == "__main__":
    main()
