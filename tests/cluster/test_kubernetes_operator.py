"""ZenML's own Kubernetes step operator with our settings: real client, manifests, processes.

What is not real is the cluster (fake_kubernetes.py). The whole pipeline goes through it in
`make proof-remote`; here are single jobs and what can befall them.
"""

import json
import sys
import threading
import time
from types import SimpleNamespace
from unittest.mock import patch
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
from stack.kubernetes_operator import SealedKubernetesStepOperator
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
TOKEN = "a-jwt-of-the-run"
PRINT_TOKEN = "import os; print('HAS', os.environ['ZENML_STORE_API_TOKEN'])"


@pytest.fixture
def cluster(tmp_path, tracking_uri):
    with fake_cluster(tmp_path) as running:
        yield running


@pytest.fixture
def operator(cluster):
    config = KubernetesStepOperatorConfig(kubernetes_namespace="clicks", max_api_retries=1)
    return component(KubernetesStepOperator, config, "kubernetes", KIND)


@pytest.fixture
def sealed(cluster):
    config = KubernetesStepOperatorConfig(kubernetes_namespace="clicks", max_api_retries=1)
    return component(SealedKubernetesStepOperator, config, "kubernetes_sealed", KIND)


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
    asked = KubernetesStepOperatorSettings(**settings)
    environment = {"TOLD": "yes", "ZENML_STORE_API_TOKEN": TOKEN}
    with patch.object(KubernetesStepOperator, "get_settings", lambda *_: asked, create=True):
        operator.submit_with_allocation(info, [sys.executable, "-c", code], environment, None)
    status = operator.wait(step)
    return status, on_kubernetes(operator, {"step_run_id": str(step.id)})


def test_the_job_runs_its_command_with_its_environment(operator, cluster):
    status, reason = run_job(operator, "import os; print('TOLD', os.environ['TOLD'])")
    assert (status, reason) == (ExecutionStatus.COMPLETED, None)
    assert "TOLD yes" in cluster.log.read_text()


def test_the_manifest_asks_for_what_the_block_says_and_is_valid(operator, cluster):
    run_job(operator, "pass")
    (job,) = cluster.manifests["jobs"]
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
    reason = on_kubernetes(operator, {"step_run_id": str(uuid4())})
    assert reason == "the cluster's API cannot be asked (500)"


def test_zenmls_operator_writes_the_token_into_the_job(operator, cluster):
    """Why there is another: when this turns red, ZenML has mended it and ours may go."""
    run_job(operator, PRINT_TOKEN)
    assert TOKEN in json.dumps(cluster.manifests["jobs"])


def test_with_ours_the_token_is_in_a_secret_that_goes_with_the_job(sealed, cluster):
    status, _ = run_job(sealed, PRINT_TOKEN)
    assert status == ExecutionStatus.COMPLETED
    assert f"HAS {TOKEN}" in cluster.log.read_text()
    (job,), (secret,) = cluster.manifests["jobs"], cluster.manifests["secrets"]
    assert TOKEN not in json.dumps(job)
    validate(job, "batch/v1", "Job")
    validate(secret, "v1", "Secret")
    name = secret["metadata"]["name"]
    assert cluster.secret(name) == {"ZENML_STORE_API_TOKEN": TOKEN}
    cluster.delete("jobs", job["metadata"]["name"])
    assert cluster.objects["secrets"] == {}


def test_a_job_whose_secret_cannot_be_made_is_deleted(sealed, cluster):
    from kubernetes.client import ApiException

    cluster.faults.forbidden.add("secrets")
    with pytest.raises(ApiException, match="403"):
        run_job(sealed, PRINT_TOKEN)
    assert cluster.objects["jobs"] == {}
    assert not cluster.log.exists()
