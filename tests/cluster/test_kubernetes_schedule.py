"""A schedule on ZenML's Kubernetes orchestrator: the CronJob it posts is valid."""

from types import SimpleNamespace
from uuid import uuid4

import pytest

pytest.importorskip("kubernetes", reason="the Kubernetes client comes with the `cloud` extra")

from fake_kubernetes import fake_cluster
from remote import component
from schemas import validate
from zenml.config import ResourceSettings
from zenml.enums import StackComponentType
from zenml.integrations.kubernetes.flavors import KubernetesOrchestratorConfig
from zenml.integrations.kubernetes.orchestrators import KubernetesOrchestrator


def test_a_schedule_becomes_a_valid_cron_job(tmp_path, tracking_uri, monkeypatch):
    config = KubernetesOrchestratorConfig(
        kubernetes_namespace="mutualctr",
        service_account_name="mutualctr",
        synchronous=False,
        concurrency_policy="Forbid",
    )
    kind = StackComponentType.ORCHESTRATOR
    orchestrator = component(KubernetesOrchestrator, config, "kubernetes", kind)
    monkeypatch.setattr(orchestrator, "get_image", lambda snapshot: "registry/mutualctr:1")
    step = SimpleNamespace(
        config=SimpleNamespace(
            resource_settings=ResourceSettings(), retry=None, step_operator=None, settings={}
        )
    )
    snapshot = SimpleNamespace(
        id=uuid4(), project_id=uuid4(), is_dynamic=False,
        schedule=SimpleNamespace(cron_expression="0 3 * * *"),
        step_configurations={"ingest": step},
        pipeline_configuration=SimpleNamespace(name="dml_finetune", settings={}),
    )  # fmt: skip
    with fake_cluster(tmp_path) as cluster:
        result = orchestrator.submit_pipeline(snapshot, None, {"ZENML_STORE_URL": "u"}, {}, None)
    (manifest,) = cluster.manifests["cronjobs"]
    # The schemas up to 1.30 require onPodConditions of every failure rule, which no server does.
    validate(manifest, "batch/v1", "CronJob", versions=("1.34",))
    assert manifest["spec"]["schedule"] == "0 3 * * *"
    assert manifest["spec"]["concurrencyPolicy"] == "Forbid"
    job = manifest["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert container["image"] == "registry/mutualctr:1"
    assert str(snapshot.id) in " ".join(container["args"])
    assert list(cluster.objects["cronjobs"]) == list(result.metadata.values())
