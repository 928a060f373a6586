"""Why a step failed on Kubernetes, in one sentence, where the step itself could not say.

A container that is killed, evicted or never started reports nothing to ZenML, whose own words are
then `failed with status failed`. The cluster knows more.
"""

from typing import Any

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse, StepRunResponse
from zenml.stack import Stack

from stack.kubernetes_flavor import KUBERNETES

AGAIN = "Finished steps are kept: the same command goes on from there."


def why_failed(run: PipelineRunResponse) -> str | None:
    """A sentence about the run's first failed step; None where its own exception says it all."""
    failed = [step for step in run.steps.values() if step.status == ExecutionStatus.FAILED]
    if not failed or run.stack is None:
        return None
    step = min(failed, key=lambda step: step.start_time)
    wanted = step.config.step_operator
    operators = Stack.from_model(run.stack).step_operators
    for name, operator in operators.items():
        if operator.flavor in KUBERNETES and wanted in (True, name):
            reason = on_kubernetes(operator, step)
            return f"Step `{step.name}` failed on Kubernetes: {reason}. {AGAIN}" if reason else None
    return None


def on_kubernetes(operator: Any, step: StepRunResponse) -> str | None:
    """What the step's job and its pods say; None where the step ended by an exception of its own.

    Asks the API that the operator asks (zenml 0.98, KubernetesStepOperator).
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    namespace = operator.config.kubernetes_namespace
    selector = f"step_run_id={step.id}"
    try:
        jobs = operator._k8s_batch_api.list_namespaced_job(namespace, label_selector=selector)
        pods = operator._k8s_core_api.list_namespaced_pod(namespace, label_selector=selector)
    except (ApiException, HTTPError) as error:
        return f"the cluster's API cannot be asked ({getattr(error, 'status', error)})"
    if not jobs.items:
        return "its job is gone; someone or something deleted it"
    for status in (s for pod in pods.items for s in pod.status.container_statuses or []):
        ended, waiting = status.state.terminated, status.state.waiting
        if ended is not None and ended.reason == "OOMKilled":
            return (
                f"its container was killed for memory (OOMKilled, exit code {ended.exit_code}); "
                "give it more under `resources`"
            )
        if ended is not None and ended.exit_code > 128:
            signal = ended.exit_code - 128
            return f"its container was killed by signal {signal} ({ended.reason})"
        if waiting is not None:
            return f"its container never started ({waiting.reason}: {waiting.message})"
    conditions = jobs.items[0].status.conditions or []
    if any(condition.reason == "DeadlineExceeded" for condition in conditions):
        return "it ran into its deadline (`deadline_hours` under `resources`)"
    return None


def last_failed_run(since: Any) -> PipelineRunResponse | None:
    """The newest failed run of this user that was made after `since`."""
    runs = Client().list_pipeline_runs(
        sort_by="desc:created", size=1, status=ExecutionStatus.FAILED, user=Client().active_user.id
    )
    found = runs.items[0] if runs.items else None
    return found.get_hydrated_version() if found and found.created >= since else None
