"""`mutualctr`: what a person needs beside `zenml` and `mlflow`."""

import subprocess
import sys
from pathlib import Path

import click
import yaml

from mutualctr.closed import read_yaml
from mutualctr.errors import UserError
from stack.cli_contract import contract
from stack.cli_demo import demo
from stack.cli_doctor import doctor
from stack.cli_plan import plan
from stack.cli_scheduler import scheduler


class SentenceGroup(click.Group):
    """Shows a UserError as its one sentence."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except UserError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=SentenceGroup)
def main() -> None:
    """Mutual finetuning of click models. Runs start with `zenml pipeline run dml_finetune`."""


@main.command()
def setup() -> None:
    """Prepare the local ZenML stack (artifact store, MLflow tracker and registry)."""
    from stack.setup import STACK, set_up_stack

    uri = set_up_stack()
    click.echo(f"ZenML stack `{STACK}` is active here; MLflow keeps its runs in {uri}")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="dotted key below `parameters`"
)
def config(file: Path, changes: tuple[str, ...]) -> None:
    """Print the configuration FILE with some values changed, checked, ready for `-c`."""
    from stack.pipeline import check_content

    content = read_yaml(file)
    for change in changes:
        key, _, value = change.partition("=")
        *sections, last = key.split(".")
        section = content.setdefault("parameters", {})
        for name in sections:
            section = section.setdefault(name, {})
        section[last] = yaml.safe_load(value)
    check_content(content, file.name)
    click.echo(yaml.safe_dump(content, sort_keys=False), nl=False)


@main.command()
@click.option("--port", default=5000, show_default=True)
def ui(port: int) -> None:
    """Open MLflow's pages for the active stack on this machine only."""
    from stack.setup import tracking_uri

    click.echo(f"MLflow: http://127.0.0.1:{port} (Ctrl-C ends it)", err=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", tracking_uri()]
    raise SystemExit(subprocess.call([*command, "--host", "127.0.0.1", "--port", str(port)]))


for command in (contract, demo, doctor, plan, scheduler):
    main.add_command(command)
