"""The paper's Tables 1 to 4 with ours beside them.

Its numbers are of the full data sets and of nobody's sample, so what can be compared is the gain,
not the level.
"""

from collections.abc import Iterator

import numpy as np

from mutualctr.evaluation.auc import relaimp
from mutualctr.evaluation.wording import number, percent
from mutualctr.study import paper
from mutualctr.study.config import PRETRAINED
from mutualctr.study.record import control_of, first_arm, mutuals, row_of, same
from mutualctr.study.table import NOTHING, Cell, Row, Table, auc_cell, gain_cell, judged


def table_1(study: dict) -> Table:
    """Same architecture: independent, mutual from scratch, mutual with pretraining."""
    rows, scratch = [], first_arm(study, "scratch")
    for m in mutuals(study):
        architecture = same(m.cohort)
        if architecture is None or len(m.cohort["architectures"]) != 4:
            continue
        trio = (m.pretrained, row_of(study, m.cohort["name"], scratch), m.row)
        rows.append(
            Row(
                f"ours: {m.label}",
                (*(auc_cell(row) if row else NOTHING for row in trio), judged(m.gain)),
                architecture,
            )
        )
    for architecture in dict.fromkeys(row.section for row in rows):
        for data_set, table in paper.TABLE_1.items():
            if architecture in table:
                rows.append(_printed_1(architecture, data_set, table[architecture]))
    order = list(dict.fromkeys(row.section for row in rows))
    return Table(
        "Table 1: four peers of one architecture",
        "Test AUC. Ours: mean over seed groups ± standard deviation over groups of the group's "
        "mean peer. Paper: mean ± standard deviation over the four peers of its one run, which "
        "learned together and so are no replicates; it has no interval.",
        ("", "independent", "mutual from scratch", "mutual, pretrained", "RelaImp"),
        tuple(sorted(rows, key=lambda row: order.index(row.section))),
    )


def _printed_1(architecture: str, data_set: str, printed: dict) -> Row:
    parts = [printed[part] for part in (paper.INDEPENDENT, paper.SCRATCH, paper.MUTUAL)]
    cells = [
        Cell(number(float(np.mean(part)), 5), f"± {number(float(np.std(part, ddof=1)), 5)}")
        for part in parts
    ]
    gain = relaimp(float(np.mean(parts[2])), float(np.mean(parts[0])))
    return Row(f"paper: {data_set}", (*cells, Cell(percent(gain))), architecture, printed=True)


def table_2(study: dict) -> Table:
    """Each architecture with copies of itself, and with the others."""
    mutual, rows = first_arm(study, "mutual"), []
    for mixed in _mixed(study):
        together = row_of(study, mixed["name"], mutual)
        alone = row_of(study, mixed["name"], PRETRAINED)
        if together is None:
            continue
        for n, architecture in enumerate(mixed["architectures"]):
            own = next(
                (c for c in study["cohorts"] if c["architectures"] == [architecture] * 4), None
            )
            row = row_of(study, own["name"], mutual) if own else None
            rows.append(
                Row(
                    "ours",
                    (
                        auc_cell(alone, n),
                        auc_cell(row, 0) if row else NOTHING,
                        auc_cell(together, n),
                        _peer_gain(row, 0, alone, n) if row else NOTHING,
                        _peer_gain(together, n, alone, n),
                    ),
                    architecture,
                )
            )
            for data_set, table in paper.TABLE_2.items():
                if architecture in table:
                    start, by_own, others = table[architecture]
                    cells = [Cell(number(value, 5)) for value in (start, by_own, others)]
                    gains = [Cell(percent(relaimp(value, start))) for value in (by_own, others)]
                    rows.append(
                        Row(f"paper: {data_set}", (*cells, *gains), architecture, printed=True)
                    )
    return Table(
        "Table 2: the same architecture or different ones",
        "Test AUC of the first peer of each architecture ± standard deviation over seed groups; "
        "the same pretrained peer in both cohorts. The paper took the best of four, once.",
        ("", "pretrained", "with its own kind", "with other kinds", "RelaImp own", "RelaImp other"),
        tuple(rows),
    )


def tables_3_and_4(study: dict) -> Table:
    """How many peers learn together."""
    mutual, rows = first_arm(study, "mutual"), []
    by_size = sorted(
        (c for c in study["cohorts"] if same(c)),
        key=lambda c: (same(c), len(c["architectures"])),
    )
    sizes = {architecture: 0 for architecture in map(same, by_size)}
    for cohort in by_size:
        sizes[same(cohort)] += 1
    for cohort in by_size:
        architecture, size = same(cohort), len(cohort["architectures"])
        row = row_of(study, cohort["name"], mutual)
        if sizes[architecture] < 2 or row is None:
            continue
        printed = []
        for data_set in ("avazu", "criteo"):
            table = paper.TABLES_3_AND_4.get((data_set, architecture), {}).get(size)
            means = [float(np.mean(aucs)) for aucs in table] if table else None
            printed.append(Cell(percent(relaimp(means[1], means[0]))) if means else NOTHING)
        control = control_of(study, cohort, mutual)
        rows.append(
            Row(
                f"{size} peers",
                (
                    auc_cell(row_of(study, cohort["name"], PRETRAINED)),
                    auc_cell(row),
                    gain_cell(row["vs"][PRETRAINED]),
                    gain_cell(row["vs"].get(control["arm"]) if control else None),
                    *printed,
                ),
                architecture,
            )
        )
    return Table(
        "Tables 3 and 4: how many peers",
        "The paper has 2 to 5 FiBiNET on Avazu and 2 to 5 DCN on Criteo, one run each.",
        (
            "",
            "pretrained",
            "mutual",
            "over pretrained",
            "over its control",
            "paper, Avazu",
            "paper, Criteo",
        ),
        tuple(rows),
    )


def _mixed(study: dict) -> Iterator[dict]:
    return (c for c in study["cohorts"] if same(c) is None)


def _peer_gain(row: dict, peer: int, start: dict, first: int) -> Cell:
    """RelaImp of one peer over itself before, ± standard deviation over groups."""
    gains = [
        relaimp(after["aucs"][peer], before["aucs"][first])
        for after, before in zip(row["groups"], start["groups"], strict=True)
    ]
    return Cell(
        percent(float(np.mean(gains))), f"± {number(100 * float(np.std(gains, ddof=1)), 2)} %"
    )
