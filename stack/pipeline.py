"""A ZenML pipeline that reads its configuration strictly and fails in one sentence.

ZenML drops unknown keys in silence and never loads a file by itself. Here the file named by `-c`,
or else zenml_config.yaml, is checked as a whole before anything runs; it is not merged with
another, so every file says everything.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from zenml.config.pipeline_run_configuration import PipelineRunConfiguration
from zenml.enums import ExecutionMode
from zenml.models import PipelineRunResponse
from zenml.pipelines.pipeline_definition import Pipeline

from mutualctr.closed import Closed, Record, nearest, parse, read_yaml
from mutualctr.config import RunConfig
from mutualctr.data.contract import load_contract
from mutualctr.errors import ConfigError, UserError
from stack.check import check_stack
from stack.quiet import quiet_logs

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CONFIG = ROOT / "zenml_config.yaml"


class ConfiguredPipeline(Pipeline):
    """What `zenml pipeline run` gets: checks first, then runs, then shows the outcome."""

    def __init__(
        self,
        name: str,
        entrypoint: Callable[..., None],
        record: type[Closed],
        default: Path,
        show: Callable[[PipelineRunResponse], None],
    ) -> None:
        """record: what stands under `parameters`; default: the file without `-c`; show: prints
        the outcome of a run."""
        super().__init__(name=name, entrypoint=entrypoint)
        self.record = record
        self.default = default
        self.show = show

    def with_options(self, config_path: str | None = None, **options: Any) -> "ConfiguredPipeline":
        """Apply one complete configuration file.

        Raises click.ClickException with one sentence where the file is wrong.
        """
        path = Path(config_path) if config_path else self.default
        try:
            check_config(path, self.record)
        except UserError as error:
            raise click.ClickException(str(error)) from None
        return super().with_options(
            config_path=str(path), execution_mode=ExecutionMode.FAIL_FAST, **options
        )

    def __call__(self, *args: Any, **kwargs: Any) -> PipelineRunResponse | None:
        """Run, then copy the report to outputs/ and print the table.

        Raises click.ClickException with one sentence for everything a person can mend.
        """
        quiet_logs()
        try:
            check_stack()
            run = super().__call__(*args, **kwargs)
            if run is not None:
                self.show(run)
            return run
        except UserError as error:
            raise click.ClickException(str(error)) from None


def check_config(path: Path, record: type[Record] = RunConfig) -> Record:
    """Read and check a run's YAML file; ConfigError says in one sentence what is wrong."""
    return check_content(read_yaml(path), str(path), record)


def check_content(content: dict[str, Any], where: str, record: type[Record] = RunConfig) -> Record:
    """Parse a run's configuration strictly: ZenML's keys at the top, ours under `parameters`."""
    known = list(PipelineRunConfiguration.model_fields)
    for key in content:
        if key not in known:
            raise ConfigError(f"{where}: `{key}` is not a known key; {nearest(str(key), known)}")
    if "parameters" not in content:
        raise ConfigError(f"{where}: `parameters` is missing; start from zenml_config.yaml.")
    config = parse(record, content["parameters"], f"{where}: parameters")
    load_contract(config.data.contract).features(config.data.feature_set)
    return config
