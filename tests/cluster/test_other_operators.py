"""What ZenML's operators for Vertex, AzureML, Modal, Run:AI and SSH ask for, given our settings.

The operators are ZenML's own code; of the vendors' SDKs nothing is real: a stub of each takes down
what it is called with. So this shows that every wish arrives where the operator puts it, and not
that the vendor would take it.
"""

import importlib
import sys
from contextlib import ExitStack
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import SimpleNamespace
from unittest.mock import MagicMock, patch
from uuid import uuid4

import pytest
from remote import component
from zenml.config import ResourceSettings
from zenml.enums import StackComponentType

from mutualctr.config import StepResources
from stack.resources import settings_for

SDKS = ("google.cloud", "google.api_core", "google.auth", "google.oauth2", "azure", "modal")
SDKS += ("runai", "paramiko", "kfp", "kubernetes")
KIND = StackComponentType.STEP_OPERATOR
COMMAND = ["python", "-m", "entrypoint"]
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


class Stubs(MetaPathFinder, Loader):
    """Any module of the SDKs, real or not, is one that takes everything."""

    def find_spec(self, name, path=None, target=None):
        stubbed = any(name == sdk or name.startswith(f"{sdk}.") for sdk in SDKS)
        return ModuleSpec(name, self, is_package=True) if stubbed else None

    def create_module(self, spec):
        return MagicMock(name=spec.name)

    def exec_module(self, module):
        pass


@pytest.fixture
def sdks(tracking_uri):
    """Stubs, and ZenML's modules that import them, for one test only."""
    real = [name for name in sys.modules if name.startswith(tuple(f"{sdk}." for sdk in SDKS))]
    with patch.dict(sys.modules), patch.object(sys, "meta_path", [Stubs(), *sys.meta_path]):
        for name in (*SDKS, *real):
            sys.modules.pop(name, None)
        yield


def submitted(flavor: str, module: str, operator: str, wish: dict, config: dict, **replaced):
    """The operator after `submit`, and its module's stand-ins by name."""
    package, _, name = module.partition(".")
    where = f"zenml.integrations.{package}"
    code = importlib.import_module(f"{where}.step_operators.{name}_step_operator")
    flavors = importlib.import_module(f"{where}.flavors.{name}_step_operator_flavor")
    settings = settings_for(StepResources.model_validate(wish), KIND, flavor, "gpu")
    asked = getattr(flavors, f"{operator}Settings")(**settings.get("step_operator:gpu", {}))
    made = component(
        getattr(code, operator), getattr(flavors, f"{operator}Config")(**config), flavor, KIND
    )
    step = SimpleNamespace(id=uuid4(), name="pretrain", run_metadata={})
    info = MagicMock(step_run_id=step.id, step_run=step, pipeline_step_name="pretrain")
    info.get_image.return_value = "registry/mutualctr:1"
    info.run_name, info.pipeline.name = "run", "dml_finetune"
    info.config.resource_settings = ResourceSettings(**settings.get("resources", {}))
    with ExitStack() as patches:
        patches.enter_context(patch.object(code, "publish_step_run_metadata"))
        for attribute, value in replaced.items():
            owner = code if hasattr(code, attribute) else type(made)
            patches.enter_context(patch.object(owner, attribute, value))
        patches.enter_context(patch.object(type(made), "get_settings", lambda *_: asked))
        made.submit(info, COMMAND, {"TOLD": "yes"})
    return code


def stack() -> MagicMock:
    """A client whose active stack has a registry that asks for no password."""
    client = MagicMock()
    client.return_value.active_stack.container_registry.credentials = None
    client.return_value.active_user.id = uuid4()
    return client


def test_vertex(sdks):
    client = MagicMock()
    client.create_custom_job.return_value.name = "job"
    wish = {"operator": "gpu", "gpus": 2, "machine": "a2-highgpu-2g"}
    wish |= {"accelerator": "NVIDIA_TESLA_A100"}
    utils = importlib.import_module("zenml.integrations.gcp.utils")
    with patch.object(utils, "validate_accelerator_type"):
        submitted(
            "vertex", "gcp.vertex", "VertexStepOperator", wish,
            {"project": "p", "region": "europe-west4"},
            get_job_service_client=lambda self: client, gcp_project_id="p",
        )  # fmt: skip
    job = client.create_custom_job.call_args.kwargs["custom_job"]
    (pool,) = job["job_spec"]["worker_pool_specs"]
    assert pool["machine_spec"] == {
        "machine_type": "a2-highgpu-2g",
        "accelerator_type": "NVIDIA_TESLA_A100",
        "accelerator_count": 2,
    }
    assert pool["container_spec"]["image_uri"] == "registry/mutualctr:1"


def test_azureml(sdks):
    client = MagicMock()
    client.compute.get.return_value = MagicMock(type="amlcompute", provisioning_state="Succeeded")
    client.jobs.create_or_update.return_value.name = "job"
    code = submitted(
        "azureml", "azure.azureml", "AzureMLStepOperator",
        {"operator": "gpu", "gpus": 1, "machine": "gpu-cluster"},
        {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"},
        azureml_client=client,
    )  # fmt: skip
    client.compute.get.assert_called_once_with("gpu-cluster")
    job = code.command.call_args.kwargs
    assert job["compute"] == "gpu-cluster"
    assert job["command"] == "python -m entrypoint"
    assert job["environment_variables"] == {"TOLD": "yes"}


def test_modal(sdks):
    code = submitted(
        "modal", "modal.modal", "ModalStepOperator",
        {"operator": "gpu", "gpus": 2, "cpus": 8, "memory": "64GB", "accelerator": "H100"},
        {}, Client=stack(),
    )  # fmt: skip
    asked = code.modal.Sandbox.create.call_args
    assert asked.args == tuple(COMMAND)
    assert asked.kwargs["gpu"] == "H100:2"
    assert asked.kwargs["cpu"] == 8
    assert asked.kwargs["memory"] == 64000  # Modal counts MiB, ZenML MB: 5 % more than asked


def test_runai(sdks):
    runai = MagicMock()
    code = submitted(
        "runai", "runai.runai", "RunAIStepOperator",
        {"operator": "gpu", "gpus": 2, "cpus": 8, "memory": "64GB", "machine": "dgx",
         "tolerations": [TOLERATION]},
        {"client_id": "i", "client_secret": "s", "runai_base_url": "https://r",
         "project_name": "p"},
        client=runai, _resolve_project_and_cluster=lambda self: ("p", "c"), Client=stack(),
    )  # fmt: skip
    compute = code.SupersetSpecAllOfCompute.call_args.kwargs
    assert (compute["gpu_devices_request"], compute["gpu_portion_request"]) == (2, 1.0)
    assert (compute["cpu_core_request"], compute["cpu_memory_request"]) == (8.0, "64G")
    spec = code.TrainingSpecSpec.call_args.kwargs
    assert spec["node_type"] == "dgx"
    assert spec["image"] == "registry/mutualctr:1"
    asked = code.Toleration.call_args.kwargs
    assert {key: value for key, value in asked.items() if value is not None} == TOLERATION


def test_ssh(sdks):
    connection = MagicMock()
    connection.__enter__.return_value = connection
    connection.exec.return_value = SimpleNamespace(exit_code=0, stdout="", stderr="")
    submitted(
        "ssh", "ssh.ssh", "SSHStepOperator",
        {"operator": "gpu", "gpus": 2, "cpus": 8, "memory": "64GB"},
        {"hostname": "gpu1", "username": "trainer", "ssh_key_path": "~/.ssh/id"},
        SSHClient=lambda config: connection, prepare_remote_workdir=MagicMock(),
    )  # fmt: skip
    (run,) = (call.args[0] for call in connection.exec.call_args_list if " run " in call.args[0])
    assert "device=0,1" in run
    assert "--cpus=8" in run
    assert "--memory=64000000000b" in run
    assert run.endswith("registry/mutualctr:1 python -m entrypoint")
    (put,) = connection.put_text.call_args_list
    assert put.kwargs == {"mode": 0o600}  # the token is in this file, for as long as Docker reads
