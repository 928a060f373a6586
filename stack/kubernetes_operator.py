"""Each step's credential for the ZenML server in a Secret that its Job owns.

ZenML's operator (0.98) writes ZENML_STORE_API_TOKEN into the Job as plain text, so whoever may read
Jobs, or their history in a backup, may act as the run. Here the Job names a Secret, and Kubernetes
removes that together with the Job. Everything else is ZenML's. Needs the `cloud` extra.
"""

from typing import Any

from zenml.integrations.kubernetes import kube_utils
from zenml.integrations.kubernetes.flavors import KubernetesStepOperatorSettings
from zenml.integrations.kubernetes.manifest_utils import build_secret_manifest
from zenml.integrations.kubernetes.pod_settings import KubernetesPodSettings
from zenml.integrations.kubernetes.step_operators import KubernetesStepOperator

CREDENTIALS = ("ZENML_STORE_API_TOKEN", "ZENML_STORE_API_KEY")


class SealedKubernetesStepOperator(KubernetesStepOperator):
    """The Secret is made after the Job, which can then own it; until then the kubelet waits."""

    def submit_with_allocation(
        self,
        info: Any,
        entrypoint_command: list[str],
        environment: dict[str, str],
        allocated_resource_request: Any,
    ) -> None:
        """Submit without the credential, then hand it over; a Job without its Secret is deleted."""
        sealed = {key: environment.pop(key) for key in CREDENTIALS if key in environment}
        super().submit_with_allocation(
            info, entrypoint_command, environment, allocated_resource_request
        )
        try:
            self._give_secret(info, sealed)
        except BaseException:
            self.cancel(info.step_run)
            raise

    def get_settings(self, container: Any) -> KubernetesStepOperatorSettings:
        """ZenML's, and the Secret's content as environment."""
        settings = super().get_settings(container)
        pod = settings.pod_settings or KubernetesPodSettings()
        env_from = [*pod.env_from, {"secretRef": {"name": _secret_of(container)}}]
        pod = pod.model_copy(update={"env_from": env_from})
        return settings.model_copy(update={"pod_settings": pod})

    def _give_secret(self, info: Any, sealed: dict[str, str]) -> None:
        namespace = self.config.kubernetes_namespace
        limits = {
            "api_request_timeout": self.config.api_request_timeout,
            "max_retries": self.config.max_api_retries,
        }
        jobs = kube_utils.list_jobs(
            batch_api=self._k8s_batch_api,
            namespace=namespace,
            label_selector=f"step_run_id={info.step_run_id}",
            **limits,
        )
        (job,) = jobs.items
        secret = build_secret_manifest(_secret_of(info), sealed, namespace)
        secret["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": job.metadata.name,
                "uid": job.metadata.uid,
            }
        ]
        create = self._k8s_core_api.create_namespaced_secret
        kube_utils.retry_on_api_exception(create, **limits)(namespace=namespace, body=secret)


def _secret_of(info: Any) -> str:
    return f"zenml-token-{info.step_run_id}"
