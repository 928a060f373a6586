"""Two flavours upon ZenML's for Kubernetes: `kubernetes_sealed`, a step operator, and
`kubernetes_scheduled`, an orchestrator.

`zenml step-operator flavor register stack.kubernetes_flavor.SealedKubernetesFlavor`;
`zenml orchestrator flavor register stack.kubernetes_flavor.ScheduledKubernetesFlavor`. Does not
import the Kubernetes client, as a flavour must not.
"""

from typing import Any

from zenml.integrations.kubernetes.flavors import (
    KubernetesOrchestratorFlavor,
    KubernetesStepOperatorFlavor,
)

SEALED = "kubernetes_sealed"
KUBERNETES = ("kubernetes", SEALED)
"""Step operators that are ZenML's, or ours upon it."""
CRON_JOBS = "kubernetes_scheduled"
ORCHESTRATORS = ("kubernetes", CRON_JOBS)
"""Orchestrators that are ZenML's, or ours upon it."""


class SealedKubernetesFlavor(KubernetesStepOperatorFlavor):
    """Configuration and settings are ZenML's."""

    @property
    def name(self) -> str:
        return SEALED

    @property
    def implementation_class(self) -> type[Any]:
        from stack.kubernetes_operator import SealedKubernetesStepOperator

        return SealedKubernetesStepOperator


class ScheduledKubernetesFlavor(KubernetesOrchestratorFlavor):
    """Configuration and settings are ZenML's."""

    @property
    def name(self) -> str:
        return CRON_JOBS

    @property
    def implementation_class(self) -> type[Any]:
        from stack.kubernetes_orchestrator import ScheduledKubernetesOrchestrator

        return ScheduledKubernetesOrchestrator
