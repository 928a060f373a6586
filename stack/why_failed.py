"""Why a step failed on Kubernetes, in one sentence, where the step itself could not say.

A container that is killed, evicted or never started reports nothing to ZenML, whose own words are
then `failed with status failed`. The cluster knows more.
"""

from collections.abc import Mapping
from typing import Any

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse
from zenml.stack import Stack
from zenml.utils.time_utils import utc_now

from stack.kubernetes_flavor import KUBERNETES, ORCHESTRATORS

AGAIN = "Finished steps are kept: the same command goes on from there."


def why_failed(run: PipelineRunResponse) -> str | None:
    """A sentence about the step that failed first; None where its own exception says it all.

    Others may have failed after it because they were ended: then their jobs are gone.
    """
    failed = [step for step in run.steps.values() if step.status == ExecutionStatus.FAILED]
    if not failed or run.stack is None:
        return None
    step = min(failed, key=lambda step: step.end_time or utc_now())
    stack = Stack.from_model(run.stack)
    reason, wanted = None, step.config.step_operator
    if wanted:
        for name, operator in stack.step_operators.items():
            if operator.flavor in KUBERNETES and wanted in (True, name):
                reason = on_kubernetes(operator, {"step_run_id": str(step.id)})
    elif stack.orchestrator.flavor in ORCHESTRATORS:
        labels = {"run_id": str(run.id), "step_name": step.name}
        reason = on_kubernetes(stack.orchestrator, labels)
    return f"Step `{step.name}` failed on Kubernetes: {reason}. {AGAIN}" if reason else None


def failed_elsewhere(run: PipelineRunResponse) -> str:
    """A sentence about a run whose failure nobody raised here, since all of it ran elsewhere."""
    failed = [f"`{s.name}`" for s in run.steps.values() if s.status == ExecutionStatus.FAILED]
    steps = f" in {', '.join(failed)}" if failed else ""
    return why_failed(run) or (
        f"The run `{run.name}` failed{steps}: its log in ZenML's dashboard, or that of its pods, "
        f"says why. {AGAIN}"
    )


def on_kubernetes(component: Any, labels: Mapping[str, str]) -> str | None:
    """What the job with those labels and its pods say; None where an exception of its own ended it.

    Asks the API that the component asks (zenml 0.98: Kubernetes step operator, orchestrator).
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    namespace = component.config.kubernetes_namespace
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    try:
        jobs = component._k8s_batch_api.list_namespaced_job(namespace, label_selector=selector)
        pods = component._k8s_core_api.list_namespaced_pod(namespace, label_selector=selector)
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
