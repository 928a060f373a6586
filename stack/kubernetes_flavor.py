"""ZenML's Kubernetes step operator, except that no token stands in a Job: `kubernetes_sealed`.

`zenml step-operator flavor register stack.kubernetes_flavor.SealedKubernetesFlavor`. Does not
import the Kubernetes client, as a flavour must not.
"""

from typing import Any

from zenml.integrations.kubernetes.flavors import KubernetesStepOperatorFlavor

SEALED = "kubernetes_sealed"
KUBERNETES = ("kubernetes", SEALED)
"""Step operators that are ZenML's, or ours upon it."""


class SealedKubernetesFlavor(KubernetesStepOperatorFlavor):
    """Configuration and settings are ZenML's."""

    @property
    def name(self) -> str:
        return SEALED

    @property
    def implementation_class(self) -> type[Any]:
        from stack.kubernetes_operator import SealedKubernetesStepOperator

        return SealedKubernetesStepOperator
