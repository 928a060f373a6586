"""The table a person sees when a run ends."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mutualctr.evaluation.table import Row, table_rows
from mutualctr.evaluation.wording import signed

STYLE = {"peer": "", "mean": "bold", "ensemble": "cyan", "baseline": "dim"}


def render_table(report: dict) -> Table:
    """One table within 100 columns: AUC and logloss by arm, RelaImp of mutual over the others."""
    table = Table(
        title="Test scores: pretrained → control → mutual, and RelaImp of mutual",
        title_style="bold",
        box=SIMPLE_HEAD,
    )
    table.add_column("Peer", overflow="fold", max_width=18)
    table.add_column("AUC", no_wrap=True)
    table.add_column("Logloss", no_wrap=True)
    table.add_column("over\npretrained", justify="right", no_wrap=True)
    table.add_column("over\ncontrol", justify="right", no_wrap=True)
    rows = list(table_rows(report))
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        ends = following is not None and following.kind != row.kind
        table.add_row(*_cells(row), style=STYLE[row.kind], end_section=ends)
    return table


def _cells(row: Row) -> list[Text]:
    arrows = [" → ".join(filter(None, trio)) for trio in (row.auc, row.logloss)]
    return [Text(cell) for cell in (row.name, *arrows, row.vs_pretrained, row.vs_control)]


def render_gate(promotion: dict) -> Table:
    """The gate's verdicts: one line a rule."""
    against = promotion["champion"]
    chosen = promotion["chosen"]
    table = Table(
        title=f"Gate: {promotion['model']}/{promotion['version']} ({chosen['peer']}, table "
        f"{chosen['embeddings']}, cost in AUC {signed(chosen['auc_cost'], 6)}) against "
        + (f"{promotion['model']}/{against}" if against else "no champion"),
        title_style="bold",
        box=SIMPLE_HEAD,
    )
    for column in ("", "Rule", "Asked", "Found"):
        table.add_column(column, overflow="fold")
    for verdict in promotion["verdicts"]:
        mark = Text("✓", style="green") if verdict["passed"] else Text("✗", style="bold red")
        table.add_row(mark, *(Text(verdict[key]) for key in ("rule", "asks", "found")))
    return table
