"""`mutualctr contract`: draft a data contract, check a file against one, export its suite."""

import tempfile
from pathlib import Path

import click


@click.group()
def contract() -> None:
    """Data contracts: draft one for a new file, check a file, export for Great Expectations."""


@contract.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--label", help="the column of clicks; without it, one called like a label")
@click.option("--name", help="name of the contract; without it, that of the file")
def init(file: Path, label: str | None, name: str | None) -> None:
    """Print a first contract for FILE, drafted from the statistics of all its rows."""
    from mutualctr.data.draft import draft_contract

    click.echo(draft_contract(file, name or file.name.partition(".")[0], label), nl=False)


@contract.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--contract", "name", required=True, help="name in data_contracts/ or path to a YAML")
@click.option("--reference", type=click.Path(), help="snapshot.json of an earlier run, for drift")
@click.option("--quarantine-percent", type=click.FloatRange(0, 100, min_open=True), default=None)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("outputs/check"),
    show_default=True,
    help="folder for validation.html, validation.json, snapshot.json",
)
def check(
    file: Path, name: str, reference: str | None, quarantine_percent: float | None, out: Path
) -> None:
    """Validate FILE against a contract without a run; exit code 1 where a run would stop."""
    from mutualctr.data.contract_file import load_contract
    from mutualctr.data.engine import ThisMachine
    from mutualctr.data.events import ingest
    from mutualctr.data.origin import find_source
    from mutualctr.data.prepare import VALIDATION_PAGE, check_events

    loaded = load_contract(name)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = find_source(str(file.absolute()), loaded)
        events = ingest(source, loaded, Path(folder), quarantine_percent=quarantine_percent)
        report, snapshot = check_events(
            events.files,
            loaded,
            quarantine_percent,
            events.malformed,
            reference,
            out,
            ThisMachine(),
        )
    snapshot.save(out)
    click.echo(f"{report.rows:,} rows, {len(report.results)} expectations: {report.verdict}.")
    for severity in ("critical", "warning", "info"):
        for result in report.failed(severity):
            click.echo(f"  {severity}: {result.subject} {result.words}; {result.observed}")
    click.echo(f"Report: {out / VALIDATION_PAGE}")
    report.raise_on_critical(file.name)


@contract.command()
@click.argument("name")
def export(name: str) -> None:
    """Print contract NAME as a Great Expectations suite in JSON."""
    from mutualctr.data.contract_file import load_contract
    from mutualctr.data.suite import suite_json

    click.echo(suite_json(load_contract(name)))
