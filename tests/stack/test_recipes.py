"""Every recipe in deploy/stacks/ is read by the components that it names, so none can rot."""

import re
from pathlib import Path

import pytest
import yaml
from zenml import __version__
from zenml.enums import StackComponentType
from zenml.integrations.registry import integration_registry
from zenml.stack.flavor_registry import FlavorRegistry

from mutualctr.config import StepResources
from stack.resources import GRANTS, settings_for

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "deploy" / "stacks").glob("*.yaml"))
OWN = {"local_parallel", "kubeflow_fixed", "kubernetes_scheduled", "kubernetes_sealed"}
SECRET = re.compile(r"\{\{[a-z0-9]+\.[a-z_]+\}\}")
WORDS_OF_SECRETS = ("password", "secret", "token", "key")


def own_flavor(name: str):
    from stack.kubeflow import FixedKubeflowFlavor
    from stack.kubernetes_flavor import ScheduledKubernetesFlavor, SealedKubernetesFlavor
    from stack.parallel_orchestrator import LocalParallelFlavor

    flavors = [LocalParallelFlavor(), FixedKubeflowFlavor()]
    flavors += [ScheduledKubernetesFlavor(), SealedKubernetesFlavor()]
    return next(flavor for flavor in flavors if flavor.name == name)


def config_class(kind: str, name: str):
    """The class that reads the component's configuration, without the component's SDK."""
    if name in OWN:
        return own_flavor(name).config_class
    flavors = [*FlavorRegistry().builtin_flavors]
    for integration in integration_registry.integrations.values():
        flavors += integration.flavors()
    for flavor in flavors:
        flavor = flavor()
        if flavor.type == StackComponentType(kind) and flavor.name == name:
            return flavor.config_class
    raise AssertionError(f"zenml {__version__} has no {kind} of flavor {name}")


def components(path: Path) -> list[tuple[str, dict]]:
    content = yaml.safe_load(path.read_text())
    return [(kind, item) for kind, items in content["components"].items() for item in items]


def test_there_is_one_for_each_place_and_a_page_for_each():
    names = {path.stem for path in RECIPES}
    assert names == {
        "kubernetes", "kubernetes_gpu", "kubeflow", "sagemaker", "vertex", "azureml", "modal",
        "runai", "ssh",
    }  # fmt: skip
    pages = {path.stem for path in (ROOT / "docs" / "stacks").glob("*.md")}
    assert names - {"kubernetes_gpu"} <= pages


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_component_reads_its_configuration(path):
    content = yaml.safe_load(path.read_text())
    assert content["zenml_version"] == __version__
    for kind, item in components(path):
        assert set(item) == {"name", "flavor", "configuration"}
        reader = config_class(kind, item["flavor"])
        unknown = set(item["configuration"]) - set(reader.model_fields)
        assert not unknown, f"{item['flavor']} reads no {unknown}"
        filled = {
            key: SECRET.sub("from-a-secret", value) if isinstance(value, str) else value
            for key, value in item["configuration"].items()
        }
        reader(**filled)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_no_secret_stands_in_a_recipe(path):
    for _, item in components(path):
        for key, value in item["configuration"].items():
            if key.endswith(WORDS_OF_SECRETS) and key not in ("store_secret", "verify_host_key"):
                if isinstance(value, str):
                    assert SECRET.fullmatch(value), f"{path.name}: {key}"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_what_a_recipe_trains_on_can_be_asked_for_hardware(path):
    content = yaml.safe_load(path.read_text())
    kind = "step_operator" if "step_operator" in content["components"] else "orchestrator"
    (item,) = content["components"][kind]
    assert (kind, item["flavor"]) in GRANTS


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_run_that_ends_elsewhere_still_has_a_tracker_and_a_registry(path):
    content = yaml.safe_load(path.read_text())
    assert {"experiment_tracker", "model_registry"} <= set(content["components"])


SHOWN = re.compile(r"^```yaml\n(resources:.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_what_its_page_shows_the_recipe_grants(path):
    page = ROOT / "docs" / "stacks" / f"{path.stem}.md"
    shown = SHOWN.findall(page.read_text() if page.exists() else "")
    shown = shown or SHOWN.findall(page.with_name("README.md").read_text())
    (blocks,) = (yaml.safe_load(text)["resources"] for text in shown)
    stack = yaml.safe_load(path.read_text())["components"]
    kind = "step_operator" if "step_operator" in stack else "orchestrator"
    (item,) = stack[kind]
    assert set(blocks) == {"pretraining", "finetuning"}
    for block in blocks.values():
        asked = dict(block)
        if kind == "orchestrator":
            asked["operator"] = None
        if path.stem == "kubeflow":
            del asked["deadline_hours"]
        wish = StepResources.model_validate(asked)
        assert wish.operator in (None, item["name"])
        assert settings_for(wish, StackComponentType(kind), item["flavor"], item["name"])
