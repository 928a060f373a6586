"""`mutualctr plan`: what a run will need, before it runs."""

import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

GIB = 1 << 30


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rows", type=int, help="rows in all, instead of reading the source")
@click.option("--ids", type=int, help="rows of the embedding table, with --rows")
def plan(file: Path, rows: int | None, ids: int | None) -> None:
    """Print memory and time of the run that FILE configures.

    Reads and encodes the source as the run would, unless --rows and --ids say its size, then
    trains twenty steps of each kind on rows of that shape.
    """
    from mutualctr.plan import plan as planned
    from mutualctr.training.machine import Machine
    from stack.outcome import TABLE_WIDTH
    from stack.pipeline import check_config
    from stack.quiet import quiet_logs

    quiet_logs()
    if (rows is None) != (ids is None):
        raise click.UsageError("give --rows and --ids together, or neither.")
    config = check_config(file)
    shape = _shape(config, rows, ids)
    phases = planned(config, shape)
    table = Table(title=f"{shape.train_rows:,} train rows, {shape.num_ids:,} ids")
    for column in ("", "times", "epochs", "s / epoch", "tables GiB", "blocks GiB", "peak GiB"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for phase in phases:
        table.add_row(
            phase.name,
            str(phase.times),
            str(phase.epochs),
            f"{phase.epoch_seconds:,.1f}",
            *(
                f"{size / GIB:.2f}"
                for size in (phase.table_bytes, phase.block_bytes, phase.peak_bytes)
            ),
        )
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=TABLE_WIDTH)
    console.print(table)
    total = sum(phase.seconds for phase in phases)
    console.print(
        f"Training one after the other: {total / 60:,.1f} min. Peak memory of the largest step: "
        f"{max(phase.peak_bytes for phase in phases) / GIB:.2f} GiB."
    )
    machine = Machine.of(config.optimizer.precision)
    console.print(
        f"Products in {machine.products} on {machine.device} (`optimizer.precision: "
        f"{config.optimizer.precision}`)."
    )
    ranks = config.resources and config.resources.finetuning.ranks
    if ranks:
        console.print(
            f"Measured here in one process; the run finetunes on {ranks} ranks, each with its part "
            "of the peers' tables and with libraries of its own."
        )


def _shape(config, rows: int | None, ids: int | None):
    from mutualctr.data.at_once import blocks_at_once
    from mutualctr.data.contract_file import load_contract
    from mutualctr.plan import Shape

    if rows is not None:
        tenth = rows // 10
        fields = len(load_contract(config.data.contract).features(config.data.feature_set))
        return Shape(rows - 2 * tenth, tenth, ids, fields)
    with tempfile.TemporaryDirectory() as temporary:
        parts, blocks = blocks_at_once(config, Path(temporary))
        return Shape(parts.train_rows, parts.dev_rows, blocks.num_ids, blocks.num_fields)
