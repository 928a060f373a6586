"""`mutualctr models`: which versions there are, which one serves, and moving that by hand."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
    from rich.table import Table

WIDTH = 120
"""Columns of a table that goes to a file, which has no width."""


@click.group()
def models() -> None:
    """Registered models: list, show, compare them, and say which one serves.

    A model is named NAME (its champion), NAME@alias or NAME/VERSION.
    """


@models.command("list")
def list_() -> None:
    """All registered models with their versions, the newest first."""
    from mutualctr.registry import aliases

    client = _client()
    table = _table("Model", "Version", "Aliases", "Peer", "Phase", "AUC", "Gate", "Pipeline run")
    for model in client.search_registered_models():
        for version in reversed(aliases.versions_of(client, model.name)):
            tags = version.tags
            table.add_row(
                model.name,
                str(version.version),
                ", ".join(sorted(version.aliases)),
                tags.get("peer", ""),
                tags.get("phase", ""),
                f"{float(tags['auc']):.5f}" if "auc" in tags else "",
                tags.get("gate", ""),
                tags.get("pipeline_run", ""),
            )
        table.add_section()
    _print(table)


@models.command()
@click.argument("name")
def show(name: str) -> None:
    """Everything known of one version: its card and its tags."""
    from rich.markdown import Markdown

    from mutualctr.registry import aliases

    version = aliases.find_version(_client(), name)
    table = _table("", f"{version.name}/{version.version}")
    table.add_row("aliases", ", ".join(sorted(version.aliases)) or "none")
    for tag, value in sorted(version.tags.items()):
        table.add_row(tag, value)
    _print(table)
    _print(Markdown(version.description or "It has no card."))


@models.command()
@click.argument("name")
def promote(name: str) -> None:
    """Let NAME/VERSION serve, past the gate; the version it replaces becomes `previous`."""
    from mutualctr.registry import aliases

    client = _client()
    version = aliases.find_version(client, name)
    before = aliases.at_alias(client, version.name, aliases.CHAMPION)
    if not aliases.promote(client, version, before, "by hand"):
        raise click.ClickException(
            f"The champion of {version.name} changed at this very moment; look at "
            "`mutualctr models list`, then promote again."
        )
    instead = f" instead of {before.name}/{before.version}" if before else ""
    click.echo(f"{version.name}/{version.version} serves{instead}. The gate was not asked.")


@models.command()
@click.argument("name", required=False)
def rollback(name: str | None) -> None:
    """Let the previous champion of NAME serve again (NAME may be left out if only one serves)."""
    from mutualctr.registry import aliases

    client = _client()
    name = name or _only_served(client)
    before = aliases.find_version(client, f"{name}@{aliases.CHAMPION}")
    after = aliases.roll_back(client, name, "by hand")
    if aliases.number(before) == aliases.number(after):
        click.echo(
            f"A move that had been cut off is completed: {name}/{after.version} serves. Run it "
            "again to go further back."
        )
    else:
        click.echo(
            f"{name}/{after.version} serves again instead of {name}/{before.version}, which comes "
            "back only by `mutualctr models promote`."
        )


@models.command()
@click.argument("first")
@click.argument("second")
@click.option("--source", help="a labelled file: absolute, or below $MUTUALCTR_DATA")
@click.option("--contract", default="criteo", show_default=True, help="of the source")
@click.option("--run", "run_name", help="a dml_finetune run, whose test rows are taken")
@click.option("--level", default=0.95, show_default=True, help="of the interval")
def compare(
    first: str,
    second: str,
    source: str | None,
    contract: str,
    run_name: str | None,
    level: float,
) -> None:
    """FIRST against SECOND on the same raw rows, each through its own feature map.

    The rows are those of --source, else the test rows of --run, else of the latest run.
    """
    from mutualctr.registry.compare import compare as measured
    from stack.compared_rows import rows_of_run, rows_of_source

    client = _client()
    rows = rows_of_source(source, contract) if source else rows_of_run(run_name)
    with rows as (path, label_B, words):
        found = measured(client, first, second, path, label_B, level)
    table = _table("", *(side.name for side in found.sides))
    for row in ("auc", "logloss", "pcoc"):
        table.add_row(row.upper(), *(f"{getattr(side, row):.5f}" for side in found.sides))
    table.add_row("loads in", *(f"{side.load_s:.1f} s" for side in found.sides))
    _print(table)
    gain = found.gain
    click.echo(
        f"AUC of {found.sides[0].name} minus {found.sides[1].name} on {len(label_B):,} rows "
        f"({words}): {gain.delta:+.5f}, {100 * level:g} % interval {gain.low:+.5f} … "
        f"{gain.high:+.5f} (paired DeLong); PSI {found.psi:.4f}"
    )


@models.command()
@click.argument("name")
@click.option("--onnx", type=click.Path(path_type=Path), required=True, help="file to write")
def export(name: str, onnx: Path) -> None:
    """Write NAME as ONNX (ids in, logits out), checked against the engine, beside its features."""
    from mutualctr.registry.export import export_version

    folder, apart = export_version(_client(), name, onnx)
    click.echo(f"{onnx} gives the engine's probabilities (at most {apart:.1e} apart); the feature")
    click.echo(f"map that makes its ids of raw values is in {folder}")


def _client() -> "MlflowClient":
    from mlflow.tracking import MlflowClient

    from stack.setup import tracking_uri

    return MlflowClient(tracking_uri=tracking_uri())


def _only_served(client: "MlflowClient") -> str:
    from mutualctr.errors import RegistryError
    from mutualctr.registry import aliases

    served = [
        model.name
        for model in client.search_registered_models()
        if aliases.CHAMPION in model.aliases
    ]
    if len(served) != 1:
        raise RegistryError(
            f"{', '.join(served) or 'No model'} has a champion; name the model to roll back."
        )
    return served[0]


def _table(*columns: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print(what: object) -> None:
    from rich.console import Console

    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=WIDTH)).print(what)
