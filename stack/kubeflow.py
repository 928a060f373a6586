"""ZenML's Kubeflow flavour with its settings mended: `kubeflow_fixed`.

zenml 0.98 overwrites `pod_settings` with what two deprecated keys say, so selectors and tolerations
never arrive (KubeflowOrchestratorSettings). The orchestrator's own three defects are mended in
stack/kubeflow_orchestrator.py. Imports neither kfp nor kubernetes, as a flavour must.
"""

from typing import Any

from pydantic import Field, model_validator
from zenml.integrations.kubeflow.flavors.kubeflow_orchestrator_flavor import (
    KubeflowOrchestratorConfig,
    KubeflowOrchestratorFlavor,
    KubeflowOrchestratorSettings,
)


class FixedKubeflowSettings(KubeflowOrchestratorSettings):
    """`pod_settings` as given; of it, node_selectors and tolerations are read."""

    @model_validator(mode="before")
    @classmethod
    def _validate_and_migrate_pod_settings(cls, data: Any) -> Any:
        """In place of ZenML's of the same name."""
        return data


class FixedKubeflowConfig(KubeflowOrchestratorConfig, FixedKubeflowSettings):
    """Beside ZenML's keys, where steps find the credential of the ZenML server."""

    store_secret: str | None = Field(
        default=None,
        description="Kubernetes Secret whose key ZENML_STORE_API_KEY holds a service account's "
        "API key. With it no token stands in the pipeline's YAML, which Kubeflow shows to all.",
    )

    @model_validator(mode="before")
    @classmethod
    def _validate_and_migrate_pod_settings(cls, data: Any) -> Any:
        return data


class FixedKubeflowFlavor(KubeflowOrchestratorFlavor):
    """`kubeflow_fixed`."""

    @property
    def name(self) -> str:
        return "kubeflow_fixed"

    @property
    def config_class(self) -> type[FixedKubeflowConfig]:
        return FixedKubeflowConfig

    @property
    def implementation_class(self) -> type[Any]:
        from stack.kubeflow_orchestrator import FixedKubeflowOrchestrator

        return FixedKubeflowOrchestrator
