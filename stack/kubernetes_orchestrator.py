"""Schedules as CronJobs whose every firing is a fresh run: `kubernetes_scheduled`.

The CronJob of ZenML's orchestrator (0.98) runs the snapshot that was frozen when the schedule was
made. The fingerprint of the clicks is in it, so that every night would find the first night's cache
and train on the first night's clicks; it is read on the cluster's clock, and tells nobody. Here a
firing is `python -m stack.scheduling.fired`, which runs the stored configuration as the local
scheduler does. Runs, with or without a schedule, are ZenML's. Needs the `cloud` extra.
"""

import os
from typing import Any, cast

from kubernetes.client import ApiException, V1Secret
from urllib3.exceptions import HTTPError
from zenml.client import Client
from zenml.integrations.kubernetes import kube_utils
from zenml.integrations.kubernetes.constants import (
    KUBERNETES_CRON_JOB_METADATA_KEY,
    ORCHESTRATOR_ANNOTATION_KEY,
)
from zenml.integrations.kubernetes.flavors.kubernetes_orchestrator_flavor import (
    KubernetesOrchestratorSettings,
)
from zenml.integrations.kubernetes.manifest_utils import (
    build_cron_job_manifest,
    job_template_manifest_from_job,
)
from zenml.integrations.kubernetes.orchestrators import KubernetesOrchestrator
from zenml.integrations.kubernetes.pod_settings import KubernetesPodSettings
from zenml.models import PipelineRunResponse, PipelineSnapshotResponse
from zenml.orchestrators import SubmissionResult

from mutualctr.errors import StackError
from stack.scheduling.fired import FIRED
from stack.scheduling.policy import Policy, policy_in
from stack.scheduling.store import ORIGIN

LATE_SECONDS = 120
"""So late may a firing start whose missed ones are skipped: the pace at which Kubernetes looks, ten
seconds, and a control plane that is busy."""
EVICTED = {
    "rules": [
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        }
    ]
}
"""A pod that a node's drain ends has stopped its run, and the next one goes on from there. Any
other failure has been told already."""


class ScheduledKubernetesOrchestrator(KubernetesOrchestrator):
    """ZenML's, with a CronJob of our own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if FIRED in os.environ:  # in the pod of a firing there is no kubeconfig
            self._config = self.config.model_copy(update={"incluster": True})

    def submit_pipeline(
        self,
        snapshot: PipelineSnapshotResponse,
        stack: Any,
        base_environment: dict[str, str],
        step_environments: dict[str, dict[str, str]],
        placeholder_run: PipelineRunResponse | None = None,
    ) -> SubmissionResult | None:
        """Run now, or make the CronJob where the snapshot belongs to a schedule.

        Raises StackError, and leaves no schedule, where the cluster refuses it.
        """
        if not snapshot.schedule:
            return super().submit_pipeline(
                snapshot, stack, base_environment, step_environments, placeholder_run
            )
        try:
            name = self._make_cron_job(snapshot, base_environment)
        except (ApiException, HTTPError) as error:
            Client().zen_store.delete_schedule(snapshot.schedule.id, soft=False)
            raise StackError(
                f"The cluster took no CronJob of schedule `{snapshot.schedule.name}` "
                f"({getattr(error, 'status', error)}); no schedule was made."
            ) from error
        return SubmissionResult(metadata={KUBERNETES_CRON_JOB_METADATA_KEY: name})

    def _make_cron_job(
        self, snapshot: PipelineSnapshotResponse, environment: dict[str, str]
    ) -> str:
        """Its name. The Secret with the schedule's credential goes when the CronJob goes."""
        origin = snapshot.pipeline_configuration.extra[ORIGIN]
        policy = policy_in(origin["content"], f"schedule {snapshot.schedule.name}")
        settings = cast(KubernetesOrchestratorSettings, self.get_settings(snapshot))
        pod = (settings.orchestrator_pod_settings or KubernetesPodSettings()).model_copy(deep=True)
        pipeline = snapshot.pipeline_configuration.name
        with self._create_auth_secret_if_necessary(snapshot, environment, pod):
            job = self._prepare_job_manifest(
                name=self._get_job_name(settings, pipeline_name=pipeline),
                command=["python", "-m", "stack.scheduling.fired"],
                args=[str(snapshot.schedule.id)],
                image=self.get_image(snapshot=snapshot),
                environment=environment | {FIRED: "1"},
                labels={"pipeline": kube_utils.sanitize_label_value(pipeline)},
                annotations={ORCHESTRATOR_ANNOTATION_KEY: str(self.id)},
                settings=settings,
                pod_settings=pod,
                backoff_limit=0,
                pod_failure_policy=EVICTED,
            )
            manifest = build_cron_job_manifest(
                cron_expression=snapshot.schedule.cron_expression,
                job_template=job_template_manifest_from_job(job),
                successful_jobs_history_limit=settings.successful_jobs_history_limit,
                failed_jobs_history_limit=settings.failed_jobs_history_limit,
                concurrency_policy="Forbid",
                starting_deadline_seconds=_deadline(policy),
            )
            manifest.spec.time_zone = policy.time_zone
            made = self._k8s_batch_api.create_namespaced_cron_job(
                namespace=self.config.kubernetes_namespace, body=manifest
            )
        if self.config.pass_zenml_token_as_secret:
            self._own_secret(self.get_token_secret_name(snapshot.id), made)
        return made.metadata.name

    def _own_secret(self, secret: str, cron_job: Any) -> None:
        owner = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": cron_job.metadata.name,
            "uid": cron_job.metadata.uid,
        }
        self._k8s_core_api.patch_namespaced_secret(
            name=secret,
            namespace=self.config.kubernetes_namespace,
            body=V1Secret(metadata={"ownerReferences": [owner]}),
        )


def _deadline(policy: Policy) -> int | None:
    """Without one Kubernetes starts the newest of those that were missed; with one, none later."""
    return LATE_SECONDS if policy.missed_runs == "skip" else None
