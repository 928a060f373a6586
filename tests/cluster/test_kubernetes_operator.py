"""ZenML's own Kubernetes step operator with our settings: real client, manifests, processes.

What is not real is the cluster (fake_kubernetes.py). The whole pipeline goes through it in
`make proof-remote`; here are single jobs and what can befall them.
"""

import sys
import threading
import time
from types import SimpleNamespace
from uuid import uuid4

import pytest

pytest.importorskip("kubernetes", reason="the Kubernetes client comes with the `cloud` extra")

from fake_kubernetes import fake_cluster
from remote import component
from schemas import validate
from zenml.config import ResourceSettings
from zenml.enums import ExecutionStatus, StackComponentType
from zenml.integrations.kubernetes.flavors import (
    KubernetesStepOperatorConfig,
    KubernetesStepOperatorSettings,
)
from zenml.integrations.kubernetes.step_operators import KubernetesStepOperator

from mutualctr.config import StepResources
from stack.resources import settings_for
from stack.why_failed import on_kubernetes

WISH = StepResources(
    operator="gpu",
    gpus=1,
    cpus=4,
    memory="16GB",
    deadline_hours=1 / 3600,
    node_selector={"gpu": "h100"},
    tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
)
KIND = StackComponentType.STEP_OPERATOR


@pytest.fixture
def cluster(tmp_path, tracking_uri):
    with fake_cluster(tmp_path) as running:
        yield running


@pytest.fixture
def operator(cluster):
    config = KubernetesStepOperatorConfig(kubernetes_namespace="clicks", max_api_retries=1)
    return component(KubernetesStepOperator, config, "kubernetes", KIND)


def run_job(operator, code: str):
    """Submit one step as ZenML's launcher does, and wait for it; (status, why it failed)."""
    settings = settings_for(WISH, KIND, "kubernetes", "gpu")["step_operator:gpu"]
    step = SimpleNamespace(id=uuid4(), name="pretrain")
    info = SimpleNamespace(
        step_run_id=step.id, run_id=uuid4(), run_name="run", pipeline_step_name="pretrain",
        step_run=step, snapshot=SimpleNamespace(project_id=uuid4()),
        pipeline=SimpleNamespace(name="dml_finetune"), get_image=lambda key: "registry/mutualctr:1",
        config=SimpleNamespace(command=None, resource_settings=ResourceSettings()),
    )  # fmt: skip
    operator.get_settings = lambda _: KubernetesStepOperatorSettings(**settings)
    operator.submit_with_allocation(info, [sys.executable, "-c", code], {"TOLD": "yes"}, None)
    status = operator.wait(step)
    return status, on_kubernetes(operator, step)


def test_the_job_runs_its_command_with_its_environment(operator, cluster):
    status, reason = run_job(operator, "import os; print('TOLD', os.environ['TOLD'])")
    assert (status, reason) == (ExecutionStatus.COMPLETED, None)
    assert "TOLD yes" in cluster.log.read_text()


def test_the_manifest_asks_for_what_the_block_says_and_is_valid(operator, cluster):
    run_job(operator, "pass")
    (job,) = cluster.manifests
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"cpu": "4", "memory": "16G", "nvidia.com/gpu": "1"}
    assert pod["nodeSelector"] == {"gpu": "h100"}
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert container["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/home/app", "/tmp"}
    assert pod["securityContext"] == {"fsGroup": 10001}
    assert job["spec"]["activeDeadlineSeconds"] == 1
    assert job["spec"]["backoffLimit"] == 0
    validate(job, "batch/v1", "Job")


def test_errors_in_passing_are_ridden_out(operator, cluster):
    cluster.faults.errors = 1
    assert run_job(operator, "pass") == (ExecutionStatus.COMPLETED, None)


def test_an_api_that_is_down_is_an_error(operator, cluster):
    from kubernetes.client import ApiException

    cluster.faults.errors = 100
    with pytest.raises(ApiException, match="500"):
        run_job(operator, "pass")


def test_killed_for_memory(operator, cluster):
    cluster.faults.killed.add("pretrain")
    status, reason = run_job(operator, "import time; time.sleep(60)")
    assert status == ExecutionStatus.FAILED
    assert "killed for memory (OOMKilled, exit code 137); give it more" in reason


def test_never_started(operator, cluster):
    cluster.faults.never_starts.add("pretrain")
    status, reason = run_job(operator, "pass")
    assert status == ExecutionStatus.FAILED
    assert reason == "its container never started (ImagePullBackOff: no such image)"


def test_deleted(operator, cluster):
    cluster.faults.deleted.add("pretrain")
    status, reason = run_job(operator, "import time; time.sleep(60)")
    assert status == ExecutionStatus.FAILED
    assert reason == "its job is gone; someone or something deleted it"


def test_cancelled(operator, cluster):
    result = []
    thread = threading.Thread(
        target=lambda: result.append(run_job(operator, "import time; time.sleep(60)"))
    )
    thread.start()
    for _ in range(1000):
        if cluster.objects["jobs"]:
            break
        time.sleep(0.02)
    name = next(iter(cluster.objects["jobs"]))
    step_run_id = cluster.objects["jobs"][name]["metadata"]["labels"]["step_run_id"]
    operator.cancel(SimpleNamespace(id=step_run_id))
    thread.join(30)
    assert result[0][0] == ExecutionStatus.FAILED
    assert cluster.objects["jobs"] == {}


def test_its_own_error_needs_no_other_words(operator, cluster):
    status, reason = run_job(operator, "raise SystemExit(1)")
    assert (status, reason) == (ExecutionStatus.FAILED, None)


def test_an_api_that_cannot_be_asked_afterwards(operator, cluster):
    cluster.faults.errors = 100
    reason = on_kubernetes(operator, SimpleNamespace(id=uuid4(), name="pretrain"))
    assert reason == "the cluster's API cannot be asked (500)"
