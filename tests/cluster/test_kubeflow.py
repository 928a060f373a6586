"""The Kubeflow flavour: what stands in the IR YAML. `make proof-kubeflow` executes it."""

from types import SimpleNamespace
from uuid import uuid4

import pytest

pytest.importorskip("kfp", reason="kfp comes with the `kubeflow` extra, which needs its own venv")

import yaml
from remote import component
from zenml.config import ResourceSettings
from zenml.enums import StackComponentType

from stack.kubeflow import FixedKubeflowConfig, FixedKubeflowSettings
from stack.kubeflow_orchestrator import FixedKubeflowOrchestrator

SETTINGS = {
    "pod_settings": {
        "node_selectors": {"gpu": "h100"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }
}
ENVIRONMENT = {"ZENML_STORE_URL": "https://zenml", "ZENML_STORE_API_TOKEN": "secret-jwt"}


def step(upstream: list[str], **amounts) -> SimpleNamespace:
    return SimpleNamespace(
        spec=SimpleNamespace(upstream_steps=upstream),
        config=SimpleNamespace(resource_settings=ResourceSettings(**amounts)),
    )


def compiled(tmp_path, **config) -> tuple[dict, dict]:
    """(the pipeline's IR, its platform part) of ingest → two peers → mutual."""
    gpu = {"cpu_count": 8, "gpu_count": 2, "memory": "64GB"}
    steps = {
        "ingest": step([]),
        "pretrain_a": step(["ingest"], **gpu),
        "pretrain_b": step(["ingest"]),
        "mutual": step(["pretrain_a", "pretrain_b"]),
    }
    orchestrator = component(
        FixedKubeflowOrchestrator, FixedKubeflowConfig(**config), "kubeflow_fixed",
        StackComponentType.ORCHESTRATOR,
    )  # fmt: skip
    placed = FixedKubeflowSettings(**SETTINGS)
    orchestrator.get_settings = lambda step: (
        placed if step is steps["pretrain_a"] else FixedKubeflowSettings()
    )
    orchestrator.get_image = lambda snapshot, step_name: "registry/mutualctr:1"
    snapshot = SimpleNamespace(step_configurations=steps, id=uuid4())
    path = tmp_path / "ir.yaml"
    orchestrator.compile_snapshot(snapshot, dict.fromkeys(steps, ENVIRONMENT), "dml", path)
    documents = list(yaml.safe_load_all(path.read_text()))
    return documents[0], documents[1]["platforms"]["kubernetes"] if documents[1:] else {}


def container(ir: dict, name: str) -> dict:
    return ir["deploymentSpec"]["executors"][f"exec-{name}"]["container"]


def test_every_task_waits_for_its_inputs(tmp_path):
    tasks = compiled(tmp_path)[0]["root"]["dag"]["tasks"]
    waits = {name: sorted(task.get("dependentTasks", [])) for name, task in tasks.items()}
    assert waits == {
        "ingest": [], "pretrain-a": ["ingest"], "pretrain-b": ["ingest"],
        "mutual": ["pretrain-a", "pretrain-b"],
    }  # fmt: skip


def test_amounts_are_in_the_ir(tmp_path):
    ir, _ = compiled(tmp_path)
    resources = container(ir, "pretrain-a")["resources"]
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "2"
    for kind in ("Request", "Limit"):
        assert resources[f"resourceCpu{kind}"] == "8"
        assert resources[f"resourceMemory{kind}"] == "64000M"
    assert "resources" not in container(ir, "pretrain-b")


def test_the_place_is_in_the_platform_part(tmp_path):
    executors = compiled(tmp_path)[1]["deploymentSpec"]["executors"]
    placed = executors["exec-pretrain-a"]
    assert placed["nodeSelector"]["labels"] == {"gpu": "h100"}
    assert placed["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert "exec-pretrain-b" not in executors


def test_with_a_secret_no_token_is_in_the_yaml(tmp_path):
    ir, platform = compiled(tmp_path, store_secret="zenml-store")
    assert "secret-jwt" not in (tmp_path / "ir.yaml").read_text()
    secret = platform["deploymentSpec"]["executors"]["exec-ingest"]["secretAsEnv"][0]
    assert secret["secretName"] == "zenml-store"
    assert secret["keyToEnv"][0]["envVar"] == "ZENML_STORE_API_KEY"
    names = [variable["name"] for variable in container(ir, "ingest")["env"]]
    assert "ZENML_STORE_URL" in names
    assert "KFP_RUN_ID" in names


def test_without_one_the_token_is_what_steps_have(tmp_path):
    compiled(tmp_path)
    assert "secret-jwt" in (tmp_path / "ir.yaml").read_text()


def test_pod_settings_survive_a_second_validation():
    once = FixedKubeflowSettings(**SETTINGS)
    twice = FixedKubeflowSettings.model_validate(once.model_dump())
    assert twice.pod_settings.node_selectors == {"gpu": "h100"}
    assert twice.pod_settings.tolerations == SETTINGS["pod_settings"]["tolerations"]
