"""`mutualctr`: what a person needs beside `zenml` and `mlflow`."""

from pathlib import Path

import click
import yaml

from mutualctr.closed import read_yaml
from mutualctr.errors import UserError
from stack.cli_contract import contract
from stack.cli_demo import demo
from stack.cli_doctor import doctor
from stack.cli_models import models
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
@click.option("--port", default=5000, show_default=True, help="of MLflow")
@click.option("--zenml-port", default=8237, show_default=True, help="of ZenML's dashboard")
def ui(port: int, zenml_port: int) -> None:
    """Open the pages of the active stack on this machine only: MLflow, and ZenML if installed."""
    from stack.pages import serve_pages
    from stack.setup import tracking_uri

    say = lambda line: click.echo(line, err=True)  # noqa: E731
    serve_pages(tracking_uri(), port, zenml_port, say)


for command in (contract, demo, doctor, models, plan, scheduler):
    main.add_command(command)
