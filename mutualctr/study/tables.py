"""A study's tables as text, drawn once and shown by page and Markdown alike.

Where the paper has a table, its numbers stand beside ours; they are of the full data sets and of
nobody's sample, so what can be compared is the gain, not the level.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mutualctr.evaluation.auc import relaimp
from mutualctr.evaluation.wording import number, percent
from mutualctr.study import paper
from mutualctr.study.config import ENSEMBLE, PRETRAINED


@dataclass(frozen=True)
class Table:
    """Title, what to know about it, and cells as text; the first column names the row."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(study: dict) -> list[Table]:
    """All tables of a study that it has the cohorts for."""
    made = [
        hypotheses_table(study),
        gains_table(study),
        table_1(study),
        table_2(study),
        tables_3_and_4(study),
        epochs_table(study),
        quality_table(study),
        peers_table(study),
    ]
    return [table for table in made if table.rows]


def hypotheses_table(study: dict) -> Table:
    """What was written down before, and what became of it."""
    rows = [
        (
            h["id"],
            h["text"],
            f"{h['measure']} of {h['arm']} over {h['base']}, {h['cohort']}, "
            f"{h['side']} {_value(h, h['threshold'])}",
            _interval(h, "value"),
            h["verdict"],
        )
        for h in study["hypotheses"]
    ]
    return Table(
        "Hypotheses",
        "Written into the configuration before the study ran. Confirmed or refuted means that "
        f"the whole {100 * study['level']:.0f} % interval over {study['groups']} seed groups "
        "lies on one side of the threshold.",
        ("", "hypothesis", "measured as", "found", "verdict"),
        tuple(rows),
    )


def gains_table(study: dict) -> Table:
    """Every arm after its first epoch, against the pretrained peers, the control, the ensemble."""
    control = _first(study, "control")
    names = [PRETRAINED, *([control] if control else []), ENSEMBLE]
    rows = [
        (
            f"{row['cohort']}: {row['arm']}",
            number(_mean(row, "auc"), 5),
            *(_gain(row["vs"].get(base)) for base in names),
        )
        for row in study["rows"]
        if row["epoch"] <= 1
    ]
    return Table(
        "Gain of every arm after one epoch",
        "RelaImp of the mean peer, its interval over seed groups, and p after Holm over all "
        "comparisons of this study. The last column asks whether one peer is better than the "
        "averaged predictions of all pretrained peers.",
        (
            "cohort: arm",
            "AUC",
            "over pretrained",
            *([f"over {control}"] if control else []),
            "one peer over the pretrained ensemble",
        ),
        tuple(rows),
    )


def table_1(study: dict) -> Table:
    """Same architecture: independent, mutual from scratch, mutual with pretraining."""
    rows = []
    scratch, mutual = _first(study, "scratch"), _first(study, "mutual")
    for cohort in _same(study):
        trio = [
            _find(study, cohort["name"], PRETRAINED),
            _find(study, cohort["name"], scratch),
            _find(study, cohort["name"], mutual),
        ]
        if trio[2] is None or len(cohort["architectures"]) != 4:
            continue
        gain = trio[2]["vs"][PRETRAINED]
        rows.append(
            (
                f"ours: {cohort['name']}",
                *("" if row is None else _auc_and_spread(row) for row in trio),
                f"{percent(gain['relaimp'])} [{percent(gain['low'])}, {percent(gain['high'])}]",
            )
        )
        for data_set, table in paper.TABLE_1.items():
            printed = table.get(cohort["architectures"][0])
            if printed:
                means = [
                    float(np.mean(printed[part]))
                    for part in (paper.INDEPENDENT, paper.SCRATCH, paper.MUTUAL)
                ]
                spreads = [
                    float(np.std(printed[part], ddof=1))
                    for part in (paper.INDEPENDENT, paper.SCRATCH, paper.MUTUAL)
                ]
                rows.append(
                    (
                        f"paper: {cohort['architectures'][0]}, {data_set}",
                        *(
                            f"{number(m, 5)} ± {number(s, 5)}"
                            for m, s in zip(means, spreads, strict=True)
                        ),
                        percent(relaimp(means[2], means[0])),
                    )
                )
    return Table(
        "Table 1: peers of one architecture",
        "Test AUC. Ours: mean over seed groups ± standard deviation over groups of the group's "
        "mean peer. Paper: mean ± standard deviation over the four peers of its one run, which "
        "learned together and so are no replicates.",
        ("", "independent", "mutual from scratch", "mutual, pretrained", "RelaImp"),
        tuple(rows),
    )


def table_2(study: dict) -> Table:
    """Each architecture with copies of itself, and with the others."""
    mutual = _first(study, "mutual")
    rows = []
    for mixed in _mixed(study):
        together = _find(study, mixed["name"], mutual)
        alone = _find(study, mixed["name"], PRETRAINED)
        if together is None:
            continue
        for n, architecture in enumerate(mixed["architectures"]):
            same = next((c for c in _same(study) if c["architectures"] == [architecture] * 4), None)
            row = _find(study, same["name"], mutual) if same else None
            before, after = _peer(alone, n), _peer(together, n)
            rows.append(
                (
                    f"ours: {architecture}",
                    number(before, 5),
                    "" if row is None else number(_peer(row, 0), 5),
                    number(after, 5),
                    "" if row is None else percent(relaimp(_peer(row, 0), before)),
                    percent(relaimp(after, before)),
                )
            )
            for data_set, table in paper.TABLE_2.items():
                if architecture in table:
                    start, own, others = table[architecture]
                    rows.append(
                        (
                            f"paper: {architecture}, {data_set}",
                            number(start, 5),
                            number(own, 5),
                            number(others, 5),
                            percent(relaimp(own, start)),
                            percent(relaimp(others, start)),
                        )
                    )
    return Table(
        "Table 2: the same architecture or different ones",
        "Test AUC of the first peer of each architecture, mean over seed groups; the same "
        "pretrained peer in both cohorts. The paper took the best of four.",
        ("", "pretrained", "with its own kind", "with other kinds", "RelaImp own", "RelaImp other"),
        tuple(rows),
    )


def tables_3_and_4(study: dict) -> Table:
    """How many peers learn together."""
    mutual, rows = _first(study, "mutual"), []
    by_size = sorted(_same(study), key=lambda c: (c["architectures"][0], len(c["architectures"])))
    several = {
        c["architectures"][0]
        for c in by_size
        if sum(o["architectures"][0] == c["architectures"][0] for o in by_size) > 1
    }
    for cohort in by_size:
        architecture, size = cohort["architectures"][0], len(cohort["architectures"])
        row = _find(study, cohort["name"], mutual)
        if architecture not in several or row is None:
            continue
        printed = ["", ""]
        for place, (key, table) in enumerate(paper.TABLES_3_AND_4.items()):
            if key[1] == architecture and size in table:
                before, after = (float(np.mean(aucs)) for aucs in table[size])
                printed[place] = percent(relaimp(after, before))
        rows.append(
            (
                f"{size} {architecture}",
                number(_mean(_find(study, cohort["name"], PRETRAINED), "auc"), 5),
                number(_mean(row, "auc"), 5),
                _gain(row["vs"][PRETRAINED]),
                *printed,
            )
        )
    return Table(
        "Tables 3 and 4: how many peers",
        "The paper has 2 to 5 FiBiNET on Avazu and 2 to 5 DCN on Criteo.",
        ("", "pretrained", "mutual", "RelaImp", "paper, Avazu", "paper, Criteo"),
        tuple(rows),
    )


def epochs_table(study: dict) -> Table:
    """Arms that went on for more than one epoch."""
    long = {(row["cohort"], row["arm"]) for row in study["rows"] if row["epoch"] > 1}
    rows = [
        (
            f"{row['cohort']}: {row['arm']}",
            str(row["epoch"]),
            number(_mean(row, "auc"), 5),
            _gain(row["vs"].get(PRETRAINED)),
        )
        for row in study["rows"]
        if (row["cohort"], row["arm"]) in long
    ]
    return Table(
        "More than one finetune epoch",
        'The paper: "after one epoch, performance started to degrade for all models".',
        ("cohort: arm", "epoch", "AUC", "RelaImp over pretrained"),
        tuple(rows),
    )


def quality_table(study: dict) -> Table:
    """What AUC does not see."""
    keys = (
        ("logloss", 5),
        ("pcoc", 3),
        ("ece", 4),
        ("ensemble_auc", 5),
        ("mean_abs_difference", 4),
        ("error_correlation", 4),
        ("churn_between_groups", 4),
    )
    rows = [
        (
            f"{row['cohort']}: {row['arm']}",
            *(number(_mean(row, key), digits) for key, digits in keys),
        )
        for row in study["rows"]
        if row["epoch"] <= 1
    ]
    return Table(
        "Calibration, ensembles, agreement",
        "Means over peers and seed groups after one epoch. Disagreement is the mean |pᵢ − pⱼ| of "
        "peers of a group; churn the mean |p − p′| of the same peer retrained from other seeds.",
        (
            "cohort: arm",
            "logloss",
            "PCOC",
            "ECE",
            "ensemble AUC",
            "disagreement",
            "error correlation",
            "churn",
        ),
        tuple(rows),
    )


def peers_table(study: dict) -> Table:
    """Every group's AUCs, for who wants to compute for themselves."""
    rows = [
        (
            f"{row['cohort']}: {row['arm']}, epoch {row['epoch']}",
            str(g),
            " ".join(number(value, 5) for value in group["aucs"]),
            number(group["ensemble_auc"], 5),
            number(group["served_auc"], 5),
        )
        for row in study["rows"]
        for g, group in enumerate(row["groups"])
    ]
    return Table(
        "Every peer",
        "Test AUC of each peer in the order of the cohort, of their averaged probability, and of "
        "the peer that dev would choose.",
        ("cohort: arm", "group", "peers", "ensemble", "best on dev"),
        tuple(rows),
    )


def _first(study: dict, kind: str) -> str | None:
    return next((arm["name"] for arm in study["arms"] if arm["kind"] == kind), None)


def _find(study: dict, cohort: str, arm: str | None) -> dict | None:
    """The row of an arm after its first epoch."""
    epoch = 0 if arm == PRETRAINED else 1
    key = (cohort, arm, epoch)
    return next((r for r in study["rows"] if (r["cohort"], r["arm"], r["epoch"]) == key), None)


def _same(study: dict) -> list[dict]:
    return [c for c in study["cohorts"] if len(set(c["architectures"])) == 1]


def _mixed(study: dict) -> Iterator[dict]:
    return (c for c in study["cohorts"] if len(set(c["architectures"])) > 1)


def _mean(row: dict, key: str) -> float:
    values = [group[key] for group in row["groups"] if group[key] is not None]
    return float(np.mean(values)) if values else float("nan")


def _peer(row: dict, n: int) -> float:
    return float(np.mean([group["aucs"][n] for group in row["groups"]]))


def _auc_and_spread(row: dict) -> str:
    aucs = [group["auc"] for group in row["groups"]]
    return f"{number(float(np.mean(aucs)), 5)} ± {number(float(np.std(aucs, ddof=1)), 5)}"


def _gain(found: dict | None) -> str:
    if found is None:
        return ""
    return (
        f"{percent(found['relaimp'])} [{percent(found['low'])}, {percent(found['high'])}] "
        f"p {_p(found['p_holm'])}"
    )


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def _interval(h: dict, key: str) -> str:
    if h[key] is None:
        return "no gain to share"
    return f"{_value(h, h[key])} [{_value(h, h['low'])}, {_value(h, h['high'])}]"


def _value(h: dict, value: float) -> str:
    return percent(value) if h["measure"] == "relaimp" else f"{100 * value:.0f} %"
