"""The local orchestrator, except that steps of a step operator overlap where nothing orders them.

Such a step is a process elsewhere, so a thread here can wait for it; all other steps run in this
process one after another, as ever.
"""

import contextvars
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from uuid import uuid4

from zenml.client import Client
from zenml.config.step_configurations import Step
from zenml.execution.context import setup_execution_context
from zenml.logger import get_logger
from zenml.models import PipelineRunResponse, PipelineSnapshotResponse
from zenml.orchestrators import SubmissionResult
from zenml.utils.env_utils import temporary_environment

from stack.scheduling.orchestrator import LocalScheduledFlavor, LocalScheduledOrchestrator
from stack.subprocess_operator import SubprocessStepOperator

logger = get_logger(__name__)


class LocalParallelOrchestrator(LocalScheduledOrchestrator):
    """Fails fast: the first failed step ends the processes of all others."""

    def submit_pipeline(
        self,
        snapshot: PipelineSnapshotResponse,
        stack: Any,
        base_environment: dict[str, str],
        step_environments: dict[str, dict[str, str]],
        placeholder_run: PipelineRunResponse | None = None,
    ) -> SubmissionResult | None:
        """Run all steps in an order that their inputs allow; a schedule's snapshot waits for it."""
        if snapshot.schedule:
            return None
        self._orchestrator_run_id = str(uuid4())
        self.run_init_hook(snapshot=snapshot)

        def run_here(name: str, step: Step) -> None:
            with temporary_environment(step_environments[name]):
                self.run_step(step)

        try:
            with setup_execution_context():
                run_in_order(
                    snapshot.step_configurations,
                    here=run_here,
                    elsewhere=lambda name, step: self.run_step(step),
                    end_all=lambda: _end_all(stack, placeholder_run),
                )
        finally:
            self.run_cleanup_hook(snapshot=snapshot)
            self._orchestrator_run_id = None
        return None


class LocalParallelFlavor(LocalScheduledFlavor):
    """`local_parallel`."""

    @property
    def name(self) -> str:
        return "local_parallel"

    @property
    def implementation_class(self) -> type[LocalParallelOrchestrator]:
        return LocalParallelOrchestrator


def run_in_order(
    steps: dict[str, Step],
    here: Callable[[str, Step], None],
    elsewhere: Callable[[str, Step], None],
    end_all: Callable[[], None],
) -> None:
    """Run each step after those it depends on: `elsewhere` in threads, `here` one at a time.

    Steps are listed in an order that runs; the first exception (or signal) ends all and is raised.
    """
    left = dict(steps)
    done: set[str] = set()
    running: dict[Future[None], str] = {}
    pool = ThreadPoolExecutor(max_workers=len(steps), thread_name_prefix="step")
    try:
        while left or running:
            ready = {n: s for n, s in left.items() if done.issuperset(s.spec.upstream_steps)}
            local = None
            for name, step in ready.items():
                if step.config.step_operator:  # a thread's own context, as ZenML's expects
                    context = contextvars.copy_context()
                    running[pool.submit(context.run, elsewhere, name, left.pop(name))] = name
                elif local is None:
                    local = name
            if local is not None:
                here(local, left.pop(local))
                done.add(local)
            finished, _ = wait(running, timeout=0 if local else None, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                done.add(running.pop(future))
    except BaseException:
        end_all()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_all(stack: Any, run: PipelineRunResponse | None) -> None:
    """End what every operator still runs for this run; what cannot be ended is said, and left."""
    for operator in stack.step_operators.values():
        if isinstance(operator, SubprocessStepOperator):
            operator.end_all()
    if run is None:
        return
    for step in Client().list_run_steps(pipeline_run_id=run.id, status="running", hydrate=True):
        wanted = step.config.step_operator
        operator = stack.step_operators.get(wanted) if isinstance(wanted, str) else None
        if operator is None or isinstance(operator, SubprocessStepOperator):
            continue
        try:
            operator.cancel(step)
        except Exception as error:
            logger.warning("Step `%s` goes on elsewhere: %s", step.name, error)
