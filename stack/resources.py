"""One block of the configuration → the settings that each kind of step operator really reads.

ZenML's own ResourceSettings is ignored by the Kubernetes and SageMaker operators, and half of it by
Vertex. Here a wish that the operator cannot grant is an error before anything runs.
Facts: zenml 0.98, zenml/integrations/*/step_operators and */flavors.
"""

from collections.abc import Callable
from typing import Any

from zenml import get_step_context
from zenml.client import Client
from zenml.enums import StackComponentType

from mutualctr.config import CohortResources, StepResources
from mutualctr.errors import StackError
from stack.kubernetes_flavor import KUBERNETES, ORCHESTRATORS

GPU = "nvidia.com/gpu"
RANKS = "mutualctr_ranks"
"""Key in a step's `extra`: ZenML's cache key has its parameters in it, but not that."""
USER = 10001
"""The image's user (Dockerfile)."""
Settings = dict[str, Any]


def step_options(wish: StepResources | None) -> dict[str, Any]:
    """What `step.with_options` takes so that the active stack grants the wish.

    Raises StackError where the stack has no such operator, or one that cannot grant it.
    """
    if wish is None:
        return {}
    kind = StackComponentType.STEP_OPERATOR if wish.operator else StackComponentType.ORCHESTRATOR
    component = _component(kind, wish.operator)
    settings = settings_for(wish, kind, component.flavor_name, component.name)
    options = {"step_operator": wish.operator, "settings": settings}
    if isinstance(wish, CohortResources) and wish.ranks:
        options["extra"] = {RANKS: wish.ranks}
    return options


def ranks_of_step(peers: int) -> int:
    """How many processes share a cohort of so many peers in the step that runs: what the
    configuration says, else one per GPU seen here, but never more than peers."""
    import torch

    wanted = get_step_context().step_run.config.extra.get(RANKS) or torch.cuda.device_count()
    return min(max(wanted, 1), peers)


def settings_for(wish: StepResources, kind: StackComponentType, flavor: str, name: str) -> Settings:
    """Settings by ZenML's keys for a component of that kind and flavor."""
    where = f"the {kind.value.replace('_', ' ')} `{name}` ({flavor})"
    asked = {k for k, value in wish.model_dump(exclude={"operator", "ranks"}).items() if value}
    if (kind.value, flavor) not in GRANTS:
        if not asked:
            return {}
        known = sorted(flavor for known_kind, flavor in GRANTS if known_kind == kind.value)
        raise StackError(
            f"resources: {where} is of a kind whose hardware nothing here knows how to ask for; "
            f"known are: {', '.join(known)}."
        )
    granted, needed, translate = GRANTS[kind.value, flavor]
    for key in sorted(asked - granted):
        raise StackError(
            f"resources: {where} cannot grant `{key}`; it reads {', '.join(sorted(granted))}."
        )
    for key in sorted(needed - asked):
        raise StackError(f"resources: {where} chooses hardware by `{key}`; give it.")
    own, resources = translate(wish)
    settings = {f"{kind.value}:{name}": own} if own else {}
    return settings | ({"resources": resources} if resources else {})


def _component(kind: StackComponentType, name: str | None) -> Any:
    stack = Client().active_stack_model
    components = stack.components.get(kind, [])
    for component in components:
        if name is None or component.name == name:
            return component
    present = ", ".join(f"`{c.name}`" for c in components) or "none"
    raise StackError(
        f"resources: the active ZenML stack `{stack.name}` has no step operator `{name}`; it has "
        f"{present} (`zenml stack update -s`, docs/stacks/README.md)."
    )


def _kubernetes(wish: StepResources) -> tuple[Settings, Settings]:
    """Requests and limits of the pod; the container as the image wants it, nothing writable but
    its home and /tmp."""
    amounts = {}
    if wish.cpus:
        amounts["cpu"] = str(wish.cpus)
    if wish.memory:
        amounts["memory"] = wish.memory.removesuffix("B")
    gpus = {GPU: str(wish.gpus)} if wish.gpus else {}
    # NCCL's ranks talk through shared memory, of which a container has 64 MB otherwise.
    shared = {"name": "shm", "emptyDir": {"medium": "Memory"}} if wish.gpus > 1 else None
    pod = {
        "resources": {"requests": amounts | gpus, "limits": amounts | gpus},
        "node_selectors": wish.node_selector,
        "tolerations": [t.model_dump(exclude_none=True) for t in wish.tolerations],
        "container_security_context": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumes": [
            {"name": "home", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            *([shared] if shared else []),
        ],
        "volume_mounts": [
            {"name": "home", "mountPath": "/home/app"},
            {"name": "tmp", "mountPath": "/tmp"},
            *([{"name": "shm", "mountPath": "/dev/shm"}] if shared else []),
        ],
        "additional_pod_spec_args": {"security_context": {"fsGroup": USER}},
    }
    return {"pod_settings": pod, "active_deadline_seconds": _seconds(wish)}, {}


def _seconds(wish: StepResources) -> int | None:
    return round(wish.deadline_hours * 3600) if wish.deadline_hours else None


def _kubeflow(wish: StepResources) -> tuple[Settings, Settings]:
    """Amounts go through ResourceSettings into the IR; the pod's place through pod settings."""
    pod = _kubernetes(wish)[0]["pod_settings"]
    place = {key: pod[key] for key in ("node_selectors", "tolerations")}
    return {"pod_settings": place}, _resource_settings(wish)


def _sagemaker(wish: StepResources) -> tuple[Settings, Settings]:
    limit = {"max_run": _seconds(wish)} if wish.deadline_hours else {}
    return {"estimator_args": {"instance_type": wish.machine, **limit}}, {}


def _vertex(wish: StepResources) -> tuple[Settings, Settings]:
    own: Settings = {"machine_type": wish.machine}
    if wish.gpus:
        own |= {"accelerator_type": wish.accelerator, "accelerator_count": wish.gpus}
    return own, {"gpu_count": wish.gpus} if wish.gpus else {}


def _azureml(wish: StepResources) -> tuple[Settings, Settings]:
    return {"mode": "compute-cluster", "compute_name": wish.machine}, {}


def _modal(wish: StepResources) -> tuple[Settings, Settings]:
    return {"gpu": wish.accelerator} if wish.gpus else {}, _resource_settings(wish)


def _runai(wish: StepResources) -> tuple[Settings, Settings]:
    own: Settings = {"gpu_devices_request": wish.gpus}
    if wish.cpus:
        own["cpu_core_request"] = float(wish.cpus)
    if wish.memory:
        own["cpu_memory_request"] = wish.memory.removesuffix("B")
    if wish.machine:
        own["node_type"] = wish.machine
    if wish.tolerations:
        own["tolerations"] = [t.model_dump(exclude_none=True) for t in wish.tolerations]
    return own, {}


def _ssh(wish: StepResources) -> tuple[Settings, Settings]:
    """The first GPUs of the host; the operator counts none, so steps must not overlap on it."""
    own: Settings = {"gpu_indices": list(range(wish.gpus))} if wish.gpus else {}
    arguments = [f"--cpus={wish.cpus}"] if wish.cpus else []
    # Docker's own `g` is a GiB.
    arguments += [f"--memory={int(wish.memory.removesuffix('GB')) * 10**9}b"] if wish.memory else []
    return own | ({"docker_run_args": arguments} if arguments else {}), {}


def _subprocess(wish: StepResources) -> tuple[Settings, Settings]:
    return {}, {"gpu_count": wish.gpus}


def _resource_settings(wish: StepResources) -> Settings:
    amounts = {"cpu_count": wish.cpus, "gpu_count": wish.gpus or None, "memory": wish.memory}
    return {key: value for key, value in amounts.items() if value is not None}


Translate = Callable[[StepResources], tuple[Settings, Settings]]
POD = {"gpus", "cpus", "memory", "node_selector", "tolerations"}
JOB = POD | {"deadline_hours"}
GRANTS: dict[tuple[str, str], tuple[set[str], set[str], Translate]] = {
    **{("step_operator", flavor): (JOB, set(), _kubernetes) for flavor in KUBERNETES},
    ("step_operator", "sagemaker"): (
        {"gpus", "machine", "deadline_hours"},
        {"machine"},
        _sagemaker,
    ),
    ("step_operator", "vertex"): ({"gpus", "machine", "accelerator"}, {"machine"}, _vertex),
    ("step_operator", "azureml"): ({"gpus", "machine"}, {"machine"}, _azureml),
    ("step_operator", "modal"): ({"gpus", "cpus", "memory", "accelerator"}, set(), _modal),
    ("step_operator", "runai"): (
        {"gpus", "cpus", "memory", "machine", "tolerations"},
        set(),
        _runai,
    ),
    ("step_operator", "ssh"): ({"gpus", "cpus", "memory"}, set(), _ssh),
    ("step_operator", "subprocess"): ({"gpus"}, set(), _subprocess),
    **{("orchestrator", flavor): (JOB, set(), _kubernetes) for flavor in ORCHESTRATORS},
    ("orchestrator", "kubeflow_fixed"): (POD, set(), _kubeflow),
}
"""Per kind and flavor: the wishes it grants, those it cannot do without, and the translation."""
