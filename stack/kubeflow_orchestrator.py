"""ZenML's Kubeflow orchestrator with the compilation mended, for kfp 2.17 and later.

Four defects of zenml 0.98 (zenml/integrations/kubeflow): `.after` gets components where kfp ≥ 2.17
takes tasks only; memory becomes a float where kfp wants text; GPUs are left out unless a node
selector `accelerator` is there, which its settings drop; tokens stand in the YAML. Uploading and
everything else is ZenML's. Needs the `kubeflow` extra.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import dsl, kubernetes
from kfp.compiler import Compiler
from zenml.config.resource_settings import ByteUnit, ResourceSettings
from zenml.config.step_configurations import Step
from zenml.entrypoints import StepEntrypointConfiguration
from zenml.integrations.kubeflow.orchestrators.kubeflow_orchestrator import (
    ENV_KFP_RUN_ID,
    KubeflowOrchestrator,
)
from zenml.io import fileio
from zenml.models import PipelineRunResponse, PipelineSnapshotResponse
from zenml.orchestrators import SubmissionResult
from zenml.orchestrators.utils import get_orchestrator_run_name

from stack.kubeflow import FixedKubeflowConfig, FixedKubeflowSettings

GPU = "nvidia.com/gpu"
TOKEN = "ZENML_STORE_API_TOKEN"
KEY = "ZENML_STORE_API_KEY"


class FixedKubeflowOrchestrator(KubeflowOrchestrator):
    """Compiles the snapshot to Kubeflow's IR, then lets ZenML upload it."""

    @property
    def config(self) -> FixedKubeflowConfig:
        return self._config

    @property
    def settings_class(self) -> type[FixedKubeflowSettings]:
        return FixedKubeflowSettings

    def submit_pipeline(
        self,
        snapshot: PipelineSnapshotResponse,
        stack: Any,
        base_environment: dict[str, str],
        step_environments: dict[str, dict[str, str]],
        placeholder_run: PipelineRunResponse | None = None,
    ) -> SubmissionResult | None:
        """Write the IR below the orchestrator's folder, upload it, run it (or schedule it)."""
        name = get_orchestrator_run_name(pipeline_name=snapshot.pipeline_configuration.name)
        name = name.replace("_", "-")
        fileio.makedirs(self.pipeline_directory)
        path = os.path.join(self.pipeline_directory, f"{name}.yaml")
        self.compile_snapshot(snapshot, step_environments, name, Path(path))
        return self._upload_and_run_pipeline(
            snapshot=snapshot, pipeline_file_path=path, run_name=name
        )

    def compile_snapshot(
        self,
        snapshot: PipelineSnapshotResponse,
        step_environments: Mapping[str, Mapping[str, str]],
        name: str,
        path: Path,
    ) -> None:
        """One task per step, in the snapshot's order, to the IR YAML at `path`."""
        components = {
            step_name: self._create_dynamic_component(
                self.get_image(snapshot=snapshot, step_name=step_name),
                StepEntrypointConfiguration.get_entrypoint_command(),
                StepEntrypointConfiguration.get_entrypoint_arguments(
                    step_name=step_name, snapshot_id=snapshot.id
                ),
                step_name,
            )
            for step_name in snapshot.step_configurations
        }

        @dsl.pipeline(display_name=name)
        def whole() -> None:
            tasks: dict[str, dsl.PipelineTask] = {}
            for step_name, step in snapshot.step_configurations.items():
                task = components[step_name]()
                task.set_display_name(step_name).set_caching_options(enable_caching=False)
                task.after(*(tasks[upstream] for upstream in step.spec.upstream_steps))
                self._set_environment(task, step_environments[step_name])
                _set_amounts(task, step.config.resource_settings)
                self._set_place(task, step)
                tasks[step_name] = task

        Compiler().compile(whole, package_path=str(path), pipeline_name=name)

    def _set_environment(self, task: dsl.PipelineTask, environment: Mapping[str, str]) -> None:
        task.set_env_variable(ENV_KFP_RUN_ID, dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
        secret = self.config.store_secret
        for key, value in environment.items():
            if not (secret and key == TOKEN):
                task.set_env_variable(key, value)
        if secret:
            kubernetes.use_secret_as_env(task, secret, {KEY: KEY})

    def _set_place(self, task: dsl.PipelineTask, step: Step) -> None:
        pod = self.get_settings(step).pod_settings
        if pod is None:
            return
        for label, value in pod.node_selectors.items():
            kubernetes.add_node_selector(task, label, value)
        for toleration in pod.tolerations:
            kubernetes.add_toleration(
                task,
                key=toleration.get("key"),
                operator=toleration.get("operator"),
                value=toleration.get("value"),
                effect=toleration.get("effect"),
            )


def _set_amounts(task: dsl.PipelineTask, amounts: ResourceSettings) -> None:
    """Requests equal limits, so that the scheduler keeps what the step was promised."""
    if amounts.cpu_count:
        task.set_cpu_request(f"{amounts.cpu_count:g}").set_cpu_limit(f"{amounts.cpu_count:g}")
    memory = amounts.get_memory(ByteUnit.MB)
    if memory:
        task.set_memory_request(f"{memory:.0f}M").set_memory_limit(f"{memory:.0f}M")
    if amounts.gpu_count:
        task.set_accelerator_type(GPU).set_accelerator_limit(amounts.gpu_count)
