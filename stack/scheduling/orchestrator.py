"""The local orchestrator with schedules: ZenML keeps them, `mutualctr scheduler` fires them."""

from typing import Any

from zenml.config.base_settings import BaseSettings
from zenml.models import PipelineRunResponse, PipelineSnapshotResponse, ScheduleResponse
from zenml.models.v2.core.schedule import ScheduleUpdate
from zenml.orchestrators import SubmissionResult
from zenml.orchestrators.local.local_orchestrator import (
    LocalOrchestrator,
    LocalOrchestratorConfig,
    LocalOrchestratorFlavor,
)

from stack.scheduling.policy import FLAVOR, check_cron


class ScheduledSettings(BaseSettings):
    """The keys of `Policy` as ZenML wants them: all optional, checked elsewhere."""

    time_zone: str | None = None
    missed_runs: str | None = None
    retries: int | None = None
    retry_delay_seconds: float | None = None
    retry_delay_cap_seconds: float | None = None


class LocalScheduledConfig(LocalOrchestratorConfig):
    """Nothing to configure on the component; all stands in the pipeline's file."""

    @property
    def is_schedulable(self) -> bool:
        return True


class LocalScheduledOrchestrator(LocalOrchestrator):
    """Runs steps in this process; a pipeline with a schedule is registered, not run."""

    @property
    def settings_class(self) -> type[BaseSettings]:
        return ScheduledSettings

    def submit_pipeline(
        self,
        snapshot: PipelineSnapshotResponse,
        stack: Any,
        base_environment: dict[str, str],
        step_environments: dict[str, dict[str, str]],
        placeholder_run: PipelineRunResponse | None = None,
    ) -> SubmissionResult | None:
        """Run now, unless the snapshot belongs to a schedule: it holds all the scheduler needs."""
        if snapshot.schedule:
            return None
        return super().submit_pipeline(
            snapshot, stack, base_environment, step_environments, placeholder_run
        )

    def update_schedule(self, schedule: ScheduleResponse, update: ScheduleUpdate) -> None:
        """`zenml pipeline schedule update | activate | deactivate`: looks forward from now.

        Raises ConfigError for an expression that is not cron.
        """
        from stack.scheduling.store import look_forward

        if update.cron_expression is not None:
            check_cron(update.cron_expression, f"schedule `{schedule.name}`")
        look_forward(schedule)

    def delete_schedule(self, schedule: ScheduleResponse) -> None:
        """`zenml pipeline schedule delete`: a run that is going on ends by itself."""
        from stack.scheduling.store import open_state

        with open_state() as state:
            state.forget(str(schedule.id))


class LocalScheduledFlavor(LocalOrchestratorFlavor):
    """`zenml orchestrator register … --flavor=local_scheduled`."""

    @property
    def name(self) -> str:
        return FLAVOR

    @property
    def config_class(self) -> type[LocalScheduledConfig]:
        return LocalScheduledConfig

    @property
    def implementation_class(self) -> type[LocalScheduledOrchestrator]:
        return LocalScheduledOrchestrator
