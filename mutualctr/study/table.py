"""What a table of a study is made of: every cell has its spread beside it."""

from typing import NamedTuple

from mutualctr.evaluation.wording import number, percent
from mutualctr.study.record import Found, over_groups


class Cell(NamedTuple):
    """A value as text, its spread or interval, and how it is to be read: good, bad or neither."""

    value: str
    spread: str = ""
    look: str = ""


class Row(NamedTuple):
    """`section` is said once above the rows that share it; `printed` is one of the paper's own."""

    name: str
    cells: tuple[Cell, ...]
    section: str = ""
    printed: bool = False


class Table(NamedTuple):
    """Title, what to know about it, and rows; `words` is a table of sentences, not of numbers."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    words: bool = False


NOTHING = Cell("")


def judged(found: Found) -> Cell:
    """A gain with its interval, marked where all of the interval lies on one side of zero."""
    mark, look = {"above": ("✓ ", "good"), "below": ("✗ ", "bad"), "open": ("", "")}[found.side]
    return Cell(f"{mark}{percent(found.value)}", _ends(found), look)


def plain(found: Found) -> Cell:
    """The same without a mark."""
    return Cell(percent(found.value), _ends(found))


def share_cell(found: Found | None, whole: str) -> Cell:
    """A part of a gain or loss, where it is clearly one."""
    if found is None:
        return Cell("no clear change")
    ends = f"{100 * found.low:.0f} … {100 * found.high:.0f} %".replace("-", "−")
    return Cell(f"{100 * found.value:.0f} % of the {whole}".replace("-", "−"), ends)


def _ends(found: Found) -> str:
    return f"{percent(found.low).removesuffix(' %')} … {percent(found.high)}"


def auc_cell(row: dict, peer: int | None = None) -> Cell:
    """Test AUC of the mean peer, or of one, ± standard deviation over seed groups."""
    mean, sd = over_groups(row, "auc" if peer is None else lambda group: group["aucs"][peer])
    return Cell(number(mean, 5), f"± {number(sd, 5)}")


def measure_cell(row: dict, key: str, digits: int) -> Cell:
    """Mean ± standard deviation over seed groups."""
    mean, sd = over_groups(row, key)
    return Cell(number(mean, digits), f"± {number(sd, digits)}")


def gain_cell(found: dict | None) -> Cell:
    """A comparison of the record: RelaImp, interval, p after Holm."""
    if found is None:
        return NOTHING
    ends = _ends(Found(found["relaimp"], found["low"], found["high"]))
    return Cell(percent(found["relaimp"]), f"{ends}, p {_p(found['p_holm'])}")


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else "1" if value > 0.9995 else f"{value:.3f}".lstrip("0")
