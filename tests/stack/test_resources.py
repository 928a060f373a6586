"""The block `resources`: what each kind of operator is asked for, and what it cannot grant.

Every translation is read back through the operator's own settings class, which forbids nothing:
hence the look at which keys it knows.
"""

import importlib
from types import SimpleNamespace

import pytest
from zenml.config import ResourceSettings
from zenml.enums import StackComponentType

from mutualctr.config import CohortResources, StepResources
from mutualctr.errors import StackError
from stack.resources import GRANTS, ranks_of_step, settings_for, step_options

H100 = {
    "operator": "gpu",
    "gpus": 2,
    "cpus": 8,
    "memory": "64GB",
    "node_selector": {"gpu": "h100"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
}
SETTINGS_CLASSES = {
    ("step_operator", "kubernetes"): "kubernetes.flavors.KubernetesStepOperatorSettings",
    ("step_operator", "kubernetes_sealed"): "kubernetes.flavors.KubernetesStepOperatorSettings",
    ("step_operator", "sagemaker"): "aws.flavors.sagemaker_step_operator_flavor."
    "SagemakerStepOperatorSettings",
    ("step_operator", "vertex"): "gcp.flavors.vertex_step_operator_flavor."
    "VertexStepOperatorSettings",
    ("step_operator", "azureml"): "azure.flavors.azureml_step_operator_flavor."
    "AzureMLStepOperatorSettings",
    ("step_operator", "modal"): "modal.flavors.ModalStepOperatorSettings",
    ("step_operator", "runai"): "runai.flavors.RunAIStepOperatorSettings",
    ("step_operator", "ssh"): "ssh.flavors.SSHStepOperatorSettings",
    ("orchestrator", "kubernetes"): "kubernetes.flavors.KubernetesOrchestratorSettings",
    ("orchestrator", "kubernetes_scheduled"): "kubernetes.flavors.KubernetesOrchestratorSettings",
    ("orchestrator", "kubeflow_fixed"): "kubeflow.flavors.KubeflowOrchestratorSettings",
}
WISHES = {
    "kubernetes": H100,
    "kubernetes_sealed": H100,
    "kubernetes_scheduled": H100,
    "kubeflow_fixed": H100,
    "sagemaker": {"operator": "gpu", "gpus": 1, "machine": "ml.g5.xlarge"},
    "vertex": {
        "operator": "gpu",
        "gpus": 2,
        "machine": "a2-highgpu-2g",
        "accelerator": "NVIDIA_TESLA_A100",
    },
    "azureml": {"operator": "gpu", "gpus": 1, "machine": "gpu-cluster"},
    "modal": {"operator": "gpu", "gpus": 1, "cpus": 8, "memory": "64GB", "accelerator": "H100"},
    "runai": {"operator": "gpu", "gpus": 1, "cpus": 8, "memory": "64GB", "machine": "dgx"},
    "ssh": {"operator": "gpu", "gpus": 2, "cpus": 8, "memory": "64GB"},
    "subprocess": {"operator": "gpu", "gpus": 1},
}


def asked(flavor: str, kind: str = "step_operator", **changes):
    wish = StepResources.model_validate(WISHES[flavor] | changes)
    settings = settings_for(wish, StackComponentType(kind), flavor, "gpu")
    return settings.pop(f"{kind}:gpu", {}), settings


def test_kubernetes_reads_limits_and_the_image_runs_as_its_user():
    own, others = asked("kubernetes")
    pod = own["pod_settings"]
    amounts = {"cpu": "8", "memory": "64G", "nvidia.com/gpu": "2"}
    assert pod["resources"] == {"requests": amounts, "limits": amounts}
    assert pod["node_selectors"] == {"gpu": "h100"}
    assert pod["tolerations"] == H100["tolerations"]
    assert pod["container_security_context"]["runAsUser"] == 10001
    assert pod["container_security_context"]["readOnlyRootFilesystem"]
    assert others == {}  # ResourceSettings would be ignored, or warned about


def test_a_wish_for_nothing_asks_for_nothing():
    own, _ = asked("kubernetes", gpus=0, cpus=None, memory=None)
    assert own["pod_settings"]["resources"] == {"requests": {}, "limits": {}}


def test_two_gpus_in_one_pod_share_memory():
    pod = asked("kubernetes")[0]["pod_settings"]
    assert {"name": "shm", "mountPath": "/dev/shm"} in pod["volume_mounts"]
    pod = asked("kubernetes", gpus=1)[0]["pod_settings"]
    assert {mount["name"] for mount in pod["volume_mounts"]} == {"home", "tmp"}


@pytest.mark.parametrize(
    ("wanted", "gpus", "ranks"), [(None, 0, 1), (None, 3, 3), (None, 8, 4), (2, 0, 2), (2, 8, 2)]
)
def test_ranks_are_what_is_asked_for_or_one_per_gpu(wanted, gpus, ranks, monkeypatch):
    wish = CohortResources(operator=None, gpus=0, ranks=wanted)
    monkeypatch.setattr("stack.resources._component", lambda kind, name: Local)
    options = step_options(wish)  # a local stack grants processes, if nothing else
    extra = options.get("extra", {})
    running = SimpleNamespace(step_run=SimpleNamespace(config=SimpleNamespace(extra=extra)))
    monkeypatch.setattr("stack.resources.get_step_context", lambda: running)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    assert options["settings"] == {}
    assert ranks_of_step(4) == ranks


class Local:
    flavor_name, name = "local", "default"


def test_where_hardware_is_a_name():
    assert asked("sagemaker") == ({"estimator_args": {"instance_type": "ml.g5.xlarge"}}, {})
    assert asked("vertex")[0] == {
        "machine_type": "a2-highgpu-2g",
        "accelerator_type": "NVIDIA_TESLA_A100",
        "accelerator_count": 2,
    }
    assert asked("azureml")[0] == {"mode": "compute-cluster", "compute_name": "gpu-cluster"}
    assert asked("modal") == (
        {"gpu": "H100"},
        {"resources": {"cpu_count": 8, "gpu_count": 1, "memory": "64GB"}},
    )


def test_docker_counts_bytes():
    own, _ = asked("ssh")
    assert own["gpu_indices"] == [0, 1]
    assert own["docker_run_args"] == ["--cpus=8", "--memory=64000000000b"]


def test_kubeflow_takes_amounts_from_resource_settings():
    own, others = asked("kubeflow_fixed", "orchestrator")
    assert others == {"resources": {"cpu_count": 8, "gpu_count": 2, "memory": "64GB"}}
    assert own["pod_settings"]["node_selectors"] == {"gpu": "h100"}


@pytest.mark.parametrize(("kind", "flavor"), GRANTS)
def test_the_operator_knows_every_key(kind, flavor):
    own, others = asked(flavor, kind)
    if others:
        ResourceSettings(**others["resources"])
    if (kind, flavor) not in SETTINGS_CLASSES:
        assert flavor == "subprocess"
        return
    if flavor.startswith("kube"):
        pytest.importorskip("kubernetes", reason="pod settings need the `cloud` extra")
    if flavor == "kubeflow_fixed":
        pytest.importorskip("kfp", reason="kubeflow settings need the `kubeflow` extra")
    module, _, name = SETTINGS_CLASSES[kind, flavor].rpartition(".")
    settings = getattr(importlib.import_module(f"zenml.integrations.{module}"), name)
    assert set(own) <= set(settings.model_fields)
    settings(**own)


REFUSALS = {
    "a node selector of SageMaker": (
        ("sagemaker", {"node_selector": {"a": "b"}}),
        r"operator `gpu` \(sagemaker\) cannot grant `node_selector`; it reads deadline_hours, gpus",
    ),
    "SageMaker without a machine": (
        ("sagemaker", {"machine": None}),
        "chooses hardware by `machine`; give it",
    ),
    "memory of a process here": (("subprocess", {"memory": "8GB"}), "cannot grant `memory`"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_wish_that_cannot_be_granted_is_an_error(case):
    (flavor, changes), sentence = REFUSALS[case]
    with pytest.raises(StackError, match=sentence):
        asked(flavor, **changes)


def test_an_unknown_kind_lists_the_known_ones():
    wish = StepResources(operator="gpu", gpus=1)
    with pytest.raises(StackError, match="azureml, kubernetes, kubernetes_sealed, modal"):
        settings_for(wish, StackComponentType.STEP_OPERATOR, "databricks", "gpu")
