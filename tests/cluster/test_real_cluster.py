"""For whoever has a cluster: MUTUALCTR_CLUSTER_KUBECONFIG=~/.kube/config pytest -m cluster

Posts the manifest of a training job to a real API server without running it (dry run: admission,
defaults, quotas all have their say), and runs one tiny job that takes no GPU. The namespace is
$MUTUALCTR_CLUSTER_NAMESPACE (else `default`), the image $MUTUALCTR_CLUSTER_IMAGE. What it made it
removes.
"""

import os
import time
import uuid

import pytest

KUBECONFIG = os.environ.get("MUTUALCTR_CLUSTER_KUBECONFIG")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(KUBECONFIG is None, reason="$MUTUALCTR_CLUSTER_KUBECONFIG names no cluster"),
]
NAMESPACE = os.environ.get("MUTUALCTR_CLUSTER_NAMESPACE", "default")
IMAGE = os.environ.get("MUTUALCTR_CLUSTER_IMAGE", "localhost/mutualctr:latest")


@pytest.fixture
def api():
    kubernetes = pytest.importorskip("kubernetes", reason="needs the `cloud` extra")
    kubernetes.config.load_kube_config(KUBECONFIG)
    return kubernetes.client.BatchV1Api()


def job(gpus: int, command: list[str]):
    """The Job that ZenML's operator would post for such a step."""
    from zenml.enums import StackComponentType
    from zenml.integrations.kubernetes.flavors import KubernetesStepOperatorSettings
    from zenml.integrations.kubernetes.manifest_utils import (
        build_job_manifest,
        build_pod_manifest,
        pod_template_manifest_from_pod,
    )

    from mutualctr.config import StepResources
    from stack.resources import settings_for

    wish = StepResources(operator="gpu", gpus=gpus, cpus=1, memory="2GB", deadline_hours=0.1)
    kind = StackComponentType.STEP_OPERATOR
    settings = KubernetesStepOperatorSettings(
        **settings_for(wish, kind, "kubernetes", "gpu")["step_operator:gpu"]
    )
    pod = build_pod_manifest(
        pod_name=None, image_name=IMAGE, command=command, args=[], env={}, privileged=False,
        pod_settings=settings.pod_settings, labels={"app": "mutualctr-test"},
    )  # fmt: skip
    return build_job_manifest(
        job_name=f"mutualctr-test-{uuid.uuid4().hex[:8]}",
        pod_template=pod_template_manifest_from_pod(pod),
        backoff_limit=0,
        active_deadline_seconds=settings.active_deadline_seconds,
    )


def test_the_api_server_takes_the_manifest_of_a_gpu_job(api):
    made = api.create_namespaced_job(NAMESPACE, job(1, ["true"]), dry_run="All")
    (container,) = made.spec.template.spec.containers
    assert container.resources.limits["nvidia.com/gpu"] == "1"
    assert container.security_context.run_as_user == 10001
    assert container.security_context.read_only_root_filesystem


def test_the_image_is_healthy_in_the_cluster(api):
    made = api.create_namespaced_job(NAMESPACE, job(0, ["mutualctr", "health"]))
    name = made.metadata.name
    try:
        for _ in range(300):
            status = api.read_namespaced_job(name, NAMESPACE).status
            if status.succeeded or status.failed:
                break
            time.sleep(2)
        assert status.succeeded == 1
    finally:
        api.delete_namespaced_job(name, NAMESPACE, propagation_policy="Background")
