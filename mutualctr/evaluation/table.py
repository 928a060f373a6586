"""The rows of the one table that page, Markdown and terminal show."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mutualctr.evaluation.auc import relaimp
from mutualctr.evaluation.scored import ARMS
from mutualctr.evaluation.wording import number, percent


@dataclass(frozen=True)
class Row:
    """One peer, the mean of all peers, one ensemble or the baseline; every cell as text.

    auc and logloss have a cell per arm, in the order of ARMS. What does not exist is an empty cell.
    """

    kind: Literal["peer", "mean", "ensemble", "baseline"]
    name: str
    auc: tuple[str, str, str]
    logloss: tuple[str, str, str]
    vs_pretrained: str
    vs_control: str


def table_rows(report: dict) -> Iterator[Row]:
    """Peers, their mean, ensembles, baseline.

    An ensemble's RelaImp vs pretrained is against the mean pretrained peer of its group, vs control
    against the control's ensemble.
    """
    for trio in zip(*(report["arms"][arm] for arm in ARMS), strict=True):
        yield _row("peer", trio[0]["peer"], trio, trio[2]["relaimp"])
    means = tuple(_mean(report["arms"][arm]) for arm in ARMS)
    yield _row("mean", "mean peer", means, report["delta_auc"]["mutual_vs_pretrained"]["relaimp"])
    for trio in zip(*(report["ensembles"][arm] for arm in ARMS), strict=True):
        several = len(report["ensembles"]["mutual"]) > 1
        name = f"g{trio[0]['group']} ensemble" if several else "ensemble"
        yield _row("ensemble", name, trio, trio[2]["relaimp"])
    floor = report["baseline"]
    yield Row(
        "baseline",
        "baseline",
        (number(floor["auc"], 5), "", ""),
        (number(floor["logloss"], 5), "", ""),
        "",
        "",
    )


def _row(kind: str, name: str, trio: tuple[dict, dict, dict], vs_pretrained: float) -> Row:
    return Row(
        kind,
        name,
        tuple(number(entry["auc"], 5) for entry in trio),
        tuple(number(entry["logloss"], 5) for entry in trio),
        percent(vs_pretrained),
        percent(relaimp(trio[2]["auc"], trio[1]["auc"])),
    )


def _mean(entries: list[dict]) -> dict:
    return {key: sum(e[key] for e in entries) / len(entries) for key in ("auc", "logloss")}
