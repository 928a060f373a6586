"""`mutualctr`: what a person needs beside `zenml` and `mlflow`."""

import os
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
@click.option(
    "--peers-at-once",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="train so many peers at the same time, each in its own process (docs/stacks/local.md)",
)
def setup(peers_at_once: int) -> None:
    """Prepare the local ZenML stack (artifact store, MLflow tracker and registry)."""
    from zenml.client import Client

    from stack.setup import ROOT, set_up_stack

    root = Path(os.environ.get("ZENML_REPOSITORY_PATH", ROOT))
    uri = set_up_stack(root, peers_at_once)
    name = Client().active_stack_model.name
    click.echo(f"ZenML stack `{name}` is active here; MLflow keeps its runs in {uri}")


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
def health() -> None:
    """Say whether this installation can run a step; exit code 1 where it cannot."""
    from mutualctr.health import check_health
    from stack.pipeline import DEFAULT_CONFIG, check_config

    check_config(DEFAULT_CONFIG)
    click.echo(check_health())


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def study(folder: Path) -> None:
    """Draw the pages of a finished study again from study.json in FOLDER; trains nothing."""
    from mutualctr.study.answers import headline
    from mutualctr.study.pages import read_study, write_study

    record = read_study(folder / "study.json")
    write_study(record, folder)
    click.echo(headline(record))
    click.echo(f"{folder / 'study.html'}; its tables as Markdown: {folder / 'study.md'}")


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
