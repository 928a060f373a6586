"""`mutualctr demo`: public data that anyone may run."""

from pathlib import Path

import click


@click.group()
def demo() -> None:
    """Write public data sets as files that a contract here describes."""


@demo.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def flights(file: Path) -> None:
    """Write the flights out of New York in 2013 to FILE, for configs/flights.yaml."""
    from mutualctr.data.flights import write_flights

    file.parent.mkdir(parents=True, exist_ok=True)
    rows, left_out = write_flights(file)
    click.echo(f"{file}: {rows:,} flights; {left_out:,} that never arrived are left out.")
