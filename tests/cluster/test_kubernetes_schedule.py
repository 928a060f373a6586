"""Schedules on Kubernetes: the CronJob, its clock, and what its pod does.

That a fired CronJob runs the pipeline to its end is seen by proof_orchestrator.py.
"""

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest

pytest.importorskip("kubernetes", reason="the Kubernetes client comes with the `cloud` extra")

from fake_kubernetes import fake_cluster
from remote import component
from schemas import validate
from zenml.client import Client
from zenml.config import ResourceSettings
from zenml.enums import StackComponentType
from zenml.integrations.kubernetes.flavors import KubernetesOrchestratorConfig
from zenml.models.v2.core.schedule import ScheduleUpdate

from mutualctr.errors import ConfigError, StackError
from stack.kubernetes_orchestrator import LATE_SECONDS, ScheduledKubernetesOrchestrator
from stack.scheduling.fired import FIRED
from stack.scheduling.policy import SETTINGS, check_cron_job
from stack.scheduling.store import ORIGIN

POLICY = {
    "time_zone": "Europe/Berlin",
    "missed_runs": "run_once",
    "retries": 0,
    "retry_delay_seconds": 60,
    "retry_delay_cap_seconds": 60,
}
TOKEN = "a-token-for-the-whole-schedule"


def orchestrator() -> ScheduledKubernetesOrchestrator:
    config = KubernetesOrchestratorConfig(
        kubernetes_context="fake",
        kubernetes_namespace="mutualctr",
        service_account_name="mutualctr",
        pass_zenml_token_as_secret=True,
    )
    kind = StackComponentType.ORCHESTRATOR
    return component(ScheduledKubernetesOrchestrator, config, "kubernetes_scheduled", kind)


def submit(monkeypatch, **policy: object):
    """Post the CronJob of a schedule; the snapshot and what came back."""
    made = orchestrator()
    monkeypatch.setattr(made, "get_image", lambda snapshot: "registry/mutualctr:1")
    step = SimpleNamespace(
        config=SimpleNamespace(
            resource_settings=ResourceSettings(), retry=None, step_operator=None, settings={}
        )
    )
    origin = {"content": {"settings": {SETTINGS: POLICY | policy}}}
    snapshot = SimpleNamespace(
        id=uuid4(), project_id=uuid4(), is_dynamic=False,
        schedule=SimpleNamespace(id=uuid4(), name="nightly", cron_expression="0 3 * * *"),
        step_configurations={"ingest": step},
        pipeline_configuration=SimpleNamespace(
            name="dml_finetune", settings={}, extra={ORIGIN: origin}
        ),
    )  # fmt: skip
    environment = {"ZENML_STORE_URL": "u", "ZENML_STORE_API_TOKEN": TOKEN}
    return snapshot, made.submit_pipeline(snapshot, None, environment, {}, None)


def test_a_schedule_becomes_a_valid_cron_job(tmp_path, tracking_uri, monkeypatch):
    with fake_cluster(tmp_path) as cluster:
        snapshot, result = submit(monkeypatch)
        (manifest,) = cluster.manifests["cronjobs"]
        assert list(cluster.objects["cronjobs"]) == list(result.metadata.values())
        validate(manifest, "batch/v1", "CronJob", versions=("1.34",))
        spec = manifest["spec"]
        assert (spec["schedule"], spec["timeZone"]) == ("0 3 * * *", "Europe/Berlin")
        assert spec["concurrencyPolicy"] == "Forbid"
        assert "startingDeadlineSeconds" not in spec
        job = spec["jobTemplate"]["spec"]
        assert job["backoffLimit"] == 0
        (container,) = job["template"]["spec"]["containers"]
        assert container["image"] == "registry/mutualctr:1"
        assert container["command"] == ["python", "-m", "stack.scheduling.fired"]
        assert container["args"] == [str(snapshot.schedule.id)]

        assert TOKEN not in str(manifest)
        (secret,) = cluster.objects["secrets"]
        assert TOKEN in cluster.secret(secret).values()
        for name in result.metadata.values():
            cluster.delete("cronjobs", name)
        assert not cluster.objects["secrets"]


def test_missed_firings_that_are_skipped_have_a_deadline(tmp_path, tracking_uri, monkeypatch):
    with fake_cluster(tmp_path) as cluster:
        submit(monkeypatch, missed_runs="skip")
        (manifest,) = cluster.manifests["cronjobs"]
    validate(manifest, "batch/v1", "CronJob", versions=("1.34",))
    assert manifest["spec"]["startingDeadlineSeconds"] == LATE_SECONDS


def test_a_refused_cron_job_leaves_no_schedule(tmp_path, tracking_uri, monkeypatch):
    deleted = []
    store = type(Client().zen_store)
    monkeypatch.setattr(store, "delete_schedule", lambda self, id, soft: deleted.append(id))
    with fake_cluster(tmp_path) as cluster:
        cluster.faults.forbidden.add("cronjobs")
        with pytest.raises(StackError, match=r"no CronJob of schedule `nightly` \(403\)"):
            submit(monkeypatch)
        assert not cluster.objects["secrets"]
    assert len(deleted) == 1


def test_in_the_pod_of_a_firing_the_cluster_itself_is_asked(tracking_uri, monkeypatch):
    assert not orchestrator().config.incluster
    monkeypatch.setenv(FIRED, "1")
    assert orchestrator().config.incluster


def test_the_clock_is_that_of_the_time_zone(tmp_path, tracking_uri, monkeypatch):
    """Three in Berlin is two in UTC in winter and one in summer; nothing runs beside a night."""
    with fake_cluster(tmp_path) as cluster:
        submit(monkeypatch)
        monkeypatch.setattr(cluster, "take_job", lambda job: job.setdefault("status", {}))

        def started(*moment: int) -> int:
            return len(cluster.look(datetime(2026, *moment, tzinfo=UTC)))

        def all_end() -> None:
            for job in cluster.objects["jobs"].values():
                job["status"]["conditions"] = [{"type": "Complete"}]

        assert started(1, 1, 12) == 0  # it is made
        assert [started(1, 2, 1, 59), started(1, 2, 2), started(1, 2, 2, 1)] == [0, 1, 0]
        assert started(1, 3, 2) == 0  # the first night is not over
        all_end()
        assert started(1, 3, 5) == 1
        all_end()
        assert started(7, 1, 0, 59) == 1  # one for all that were missed
        all_end()
        assert started(7, 1, 1) == 1


def test_a_schedule_that_is_updated_or_off_is_so_in_the_cluster(
    tmp_path, tracking_uri, monkeypatch
):
    with fake_cluster(tmp_path) as cluster:
        _, result = submit(monkeypatch)
        (cron_job,) = cluster.objects["cronjobs"].values()
        schedule = SimpleNamespace(name="nightly", run_metadata=result.metadata)
        ours = orchestrator()
        ours.update_schedule(schedule, ScheduleUpdate(active=False))
        assert cron_job["spec"]["suspend"]
        ours.update_schedule(schedule, ScheduleUpdate(active=True, cron_expression="30 4 * * *"))
        assert not cron_job["spec"]["suspend"]
        assert cron_job["spec"]["schedule"] == "30 4 * * *"
        assert cron_job["spec"]["timeZone"] == "Europe/Berlin"
        ours.delete_schedule(schedule)
        assert not cluster.objects["cronjobs"]
        assert not cluster.objects["secrets"]


WRONG = {
    "every missed run": ({"cron_expression": "0 3 * * *"}, {"missed_runs": "run_all"}, "run_all"),
    "seconds": ({"interval_second": 60, "start_time": "2026-01-01T00:00:00+00:00"}, {}, "CronJob"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_cron_job_cannot_keep_is_refused(name):
    schedule, policy, words = WRONG[name]
    content = {"schedule": {"name": "n", **schedule}, "settings": {SETTINGS: POLICY | policy}}
    with pytest.raises(ConfigError, match=words):
        check_cron_job(content, "run.yaml")
