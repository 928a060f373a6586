"""A ZenML pipeline that reads its configuration strictly and fails in one sentence.

ZenML drops unknown keys in silence and never loads a file by itself. Here the file named by `-c`,
or else zenml_config.yaml, is checked as a whole before anything runs; it is not merged with
another, so every file says everything.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from zenml.client import Client
from zenml.config.pipeline_run_configuration import PipelineRunConfiguration
from zenml.enums import ExecutionMode, ExecutionStatus
from zenml.models import PipelineRunResponse
from zenml.pipelines.pipeline_definition import Pipeline
from zenml.utils.time_utils import utc_now

from mutualctr.alerts.config import Alert
from mutualctr.closed import Closed, Record, nearest, parse, read_yaml
from mutualctr.config import RunConfig
from mutualctr.data.contract_file import load_contract
from mutualctr.errors import ConfigError, StackError, UserError
from stack.check import check_can_schedule, check_stack
from stack.freshness import PARTITIONS, record, selection_for
from stack.interrupt import Interrupted, end_interrupted, interruptible
from stack.process import PROCESS, here
from stack.quiet import quiet_logs
from stack.scheduling.policy import check_schedule
from stack.scheduling.store import ORIGIN, origin_of
from stack.telling import (
    check_alerts,
    first_line,
    tell_failure,
    tell_outcome,
    told_by_scheduler,
)
from stack.why_failed import failed_elsewhere, last_failed_run, why_failed

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CONFIG = ROOT / "zenml_config.yaml"


class ConfiguredPipeline(Pipeline):
    """What `zenml pipeline run` gets: checks first, then runs, then shows the outcome."""

    run_config: Closed
    alerts: list[Alert]
    scheduled: tuple[dict[str, Any], str] | None
    """The configuration that has a `schedule`, and its file."""

    def __init__(
        self,
        name: str,
        entrypoint: Callable[..., None],
        record: type[Closed],
        default: Path,
        show: Callable[[PipelineRunResponse], None],
        answer: Callable[["ConfiguredPipeline", PipelineRunResponse], None] | None = None,
    ) -> None:
        """record: what stands under `parameters`; default: the file without `-c`; show: prints
        the outcome of a run; answer: does what follows from it."""
        super().__init__(name=name, entrypoint=entrypoint)
        self.record = record
        self.default = default
        self.show = show
        self.answer = answer

    def with_options(self, config_path: str | None = None, **options: Any) -> "ConfiguredPipeline":
        """Apply one complete configuration file.

        Raises click.ClickException with one sentence where the file is wrong.
        """
        path = Path(config_path) if config_path else self.default
        try:
            content = read_yaml(path)
            config = check_content(content, str(path), self.record)
            alerts = check_alerts(content, str(path))
        except UserError as error:
            raise click.ClickException(str(error)) from None
        extra = {PROCESS: here()}
        if content.get("schedule"):
            extra |= {ORIGIN: origin_of(path, content)}
        configured = super().with_options(
            config_path=str(path), execution_mode=ExecutionMode.FAIL_FAST, extra=extra, **options
        )
        configured.run_config, configured.alerts = config, alerts
        configured.scheduled = (content, str(path)) if content.get("schedule") else None
        return configured

    def __call__(self, *args: Any, **kwargs: Any) -> PipelineRunResponse | None:
        """Run, then copy the report to outputs/ and print the table; or register the schedule.

        Raises click.ClickException with one sentence for everything a person can mend; ends the
        process with 128 + the signal's number and one sentence where Ctrl-C or SIGTERM came.
        """
        quiet_logs()
        started = utc_now()
        try:
            check_stack()
            if self.scheduled is not None:
                return self._register(*args, **kwargs)
            if self._has_read_everything():
                return None
            self._fit_execution_mode()
            with interruptible():
                run = super().__call__(*args, **kwargs)
            if run is not None:
                run = run.get_hydrated_version()
                if run.status == ExecutionStatus.FAILED:
                    raise StackError(failed_elsewhere(run))
                self.show(run)
                tell_outcome(self.alerts, self.name, run)
                if self.answer is not None:
                    self.answer(self, run)
            return run
        except Interrupted as interrupted:
            end_interrupted(interrupted)
        except Exception as error:
            reason = None if isinstance(error, UserError) else _reason(started)
            if not told_by_scheduler():
                tell_failure(self.alerts, self.name, reason or first_line(error))
            if isinstance(error, UserError) or reason:
                raise click.ClickException(reason or str(error)) from None
            raise

    def _fit_execution_mode(self) -> None:
        """Fail fast where the orchestrator can; Kubeflow lets other branches end first."""
        modes = Client().active_stack.orchestrator.supported_execution_modes
        if ExecutionMode.FAIL_FAST not in modes:
            with self.__suppress_configure_warnings__():
                self.configure(execution_mode=modes[0])

    def _has_read_everything(self) -> bool:
        """Says so where the last success read every partition; else notes what this run reads."""
        if not isinstance(self.run_config, RunConfig):
            return False  # a study or a search is asked for, whatever was read before
        data, parameters = self.run_config.data, self.configuration.parameters
        selection = selection_for(data, self.name, parameters)
        if selection is None:
            return False
        if not selection.new:
            click.echo(
                f"Nothing new in {data.source}: {selection.mark} is the newest partition and the "
                "last successful run has read it."
            )
            return True
        with self.__suppress_configure_warnings__():  # ZenML's own way; `extra` is not the file's
            self.configure(extra={PARTITIONS: record(selection)})
        return False

    def _register(self, *args: Any, **kwargs: Any) -> None:
        assert self.scheduled is not None
        content, where = self.scheduled
        fired = check_can_schedule(content, where)
        super().__call__(*args, **kwargs)
        click.echo(
            f"Schedule `{content['schedule']['name']}` is registered; {fired}, `zenml pipeline "
            "schedule list` shows it."
        )


def _reason(started: datetime) -> str | None:
    """What a cluster says of the step that failed, where the step itself could not."""
    run = last_failed_run(started)
    return why_failed(run) if run else None


def check_config(path: Path, record: type[Record] = RunConfig) -> Record:
    """Read and check a run's YAML file; ConfigError says in one sentence what is wrong."""
    return check_content(read_yaml(path), str(path), record)


def check_content(content: dict[str, Any], where: str, record: type[Record] = RunConfig) -> Record:
    """Parse a run's configuration strictly: ZenML's keys at the top, ours under `parameters`."""
    known = list(PipelineRunConfiguration.model_fields)
    for key in content:
        if key not in known:
            raise ConfigError(f"{where}: `{key}` is not a known key; {nearest(str(key), known)}")
    if content.get("enable_cache"):
        raise ConfigError(
            f"{where}: `enable_cache: true` would cache even steps that must always run, such as "
            "`register`; leave it out: all others are cached anyway."
        )
    if "parameters" not in content:
        raise ConfigError(f"{where}: `parameters` is missing; start from zenml_config.yaml.")
    config = parse(record, content["parameters"], f"{where}: parameters")
    check_schedule(content, where)
    check_alerts(content, where)
    load_contract(config.data.contract).features(config.data.feature_set)
    return config
