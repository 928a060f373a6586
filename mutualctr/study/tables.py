"""A study's own tables, drawn once and shown by page and Markdown alike."""

from mutualctr.cohort import GROUP_SEED_STRIDE
from mutualctr.evaluation.wording import number, percent
from mutualctr.study.config import ENSEMBLE, PRETRAINED
from mutualctr.study.record import (
    PAPER,
    by_weight,
    control_of,
    gain_or_loss,
    mutuals,
    over,
    over_groups,
    row_of,
)
from mutualctr.study.table import (
    NOTHING,
    Cell,
    Row,
    Table,
    auc_cell,
    gain_cell,
    judged,
    measure_cell,
    plain,
    share_cell,
)


def claims_table(study: dict) -> Table:
    """What the paper claims, and what its control and the ensemble say to that."""
    rows = []
    for m in mutuals(study):
        part, alone = m.share(study["level"]), m.control_gain
        rows.append(
            Row(
                m.label if m.paper else f"{m.label} ({m.said})",
                (
                    judged(m.gain),
                    plain(alone) if alone else NOTHING,
                    judged(m.beyond) if m.beyond else NOTHING,
                    share_cell(part, gain_or_loss(m.row)) if m.control else NOTHING,
                    judged(m.over_ensemble),
                ),
                m.cohort["name"],
            )
        )
    return Table(
        "Does it hold?",
        f"RelaImp of the mean peer after one epoch with its {100 * study['level']:.0f} % interval "
        f"over {study['groups']} seed groups; ✓ and ✗ where the whole interval lies above or "
        f"below zero. {_the_paper()}",
        (
            "",
            "mutual over pretrained",
            "the extra epoch alone",
            "mutual over the extra epoch",
            "of that the extra epoch",
            "one peer over the pretrained ensemble",
        ),
        tuple(rows),
    )


def hypotheses_table(study: dict) -> Table:
    """What was written down before, and what became of it."""
    looks = {"confirmed": "good", "refuted": "bad"}
    rows = [
        Row(
            h["id"],
            (
                Cell(h["verdict"], look=looks.get(h["verdict"], "")),
                Cell(h["text"]),
                Cell(
                    f"{h['measure']} of {h['arm']} over {h['base']}, {h['cohort']}, "
                    f"{h['side']} {_value(h, h['threshold'])}"
                ),
                _found(study, h),
            ),
        )
        for h in study["hypotheses"]
    ]
    return Table(
        "Hypotheses",
        "Written into the configuration before the study ran. Confirmed or refuted means that "
        f"the whole {100 * study['level']:.0f} % interval over {study['groups']} seed groups "
        "lies on one side of the threshold.",
        ("", "verdict", "hypothesis", "measured as", "found"),
        tuple(rows),
        words=True,
    )


def gains_table(study: dict) -> Table:
    """Every arm after its first epoch, against the pretrained peers, the control, the ensemble."""
    rows = []
    for cohort in study["cohorts"]:
        for row in study["rows"]:
            if row["cohort"] != cohort["name"] or row["epoch"] > 1:
                continue
            start = row["arm"] == PRETRAINED
            control = None if start else control_of(study, cohort, row["arm"])
            rows.append(
                Row(
                    row["arm"],
                    (
                        auc_cell(row),
                        gain_cell(row["vs"].get(PRETRAINED)),
                        gain_cell(row["vs"].get(control["arm"]) if control else None),
                        gain_cell(row["vs"].get(ENSEMBLE)),
                        measure_cell(row, "ensemble_auc", 5),
                    ),
                    cohort["name"],
                )
            )
    return Table(
        "Every arm after one epoch",
        "Mean peer: test AUC ± its standard deviation over seed groups, RelaImp with its interval "
        "over groups and p after Holm over all comparisons of this study. The control is the one "
        "at the arm's own learning rate. The last two columns ask whether one peer can stand for "
        "the averaged predictions of all pretrained peers, and what averaging the arm's peers "
        "would give.",
        (
            "",
            "AUC",
            "over pretrained",
            "over its control",
            "one peer over the pretrained ensemble",
            "AUC of the arm's ensemble",
        ),
        tuple(rows),
    )


def epochs_table(study: dict) -> Table:
    """Arms that went on for more than one epoch."""
    long: dict[tuple, list] = {}
    for row in study["rows"]:
        if row["epoch"] >= 1:
            long.setdefault((row["cohort"], row["arm"]), []).append(row)
    long = {key: rows for key, rows in long.items() if len(rows) > 1}
    epochs = max(map(len, long.values()), default=0)
    return Table(
        "More than one finetune epoch",
        "RelaImp of the mean peer over the pretrained peers after each epoch. The paper: "
        '"after one epoch, performance started to degrade for all models".',
        ("", *(f"after epoch {epoch}" for epoch in range(1, epochs + 1))),
        tuple(
            Row(
                arm,
                (
                    *(gain_cell(row["vs"].get(PRETRAINED)) for row in rows),
                    *[NOTHING] * (epochs - len(rows)),
                ),
                cohort,
            )
            for (cohort, arm), rows in long.items()
        ),
    )


def weights_table(study: dict) -> Table:
    """Mutual arms of one cohort, space and rate that differ in the weight of the pull alone."""
    rows = [
        Row(
            f"weight {weight:g}",
            (
                plain(over(row, PRETRAINED)),
                plain(over(control, PRETRAINED)) if control else NOTHING,
            ),
            f"{cohort}: {space}, lr {lr:g}",
        )
        for (cohort, space, lr), points in by_weight(study).items()
        for weight, row, control in points
    ]
    return Table(
        "The weight of the pull",
        "RelaImp of the mean peer over the pretrained peers after one epoch. The control has no "
        "weight; it is the same in every row of a cohort.",
        ("", "mutual over pretrained", "the extra epoch alone"),
        tuple(rows),
    )


def quality_table(study: dict) -> Table:
    """What AUC does not see."""
    keys = (
        ("logloss", 5),
        ("pcoc", 3),
        ("ece", 4),
        ("mean_abs_difference", 4),
        ("error_correlation", 4),
    )
    rows = [
        Row(
            row["arm"],
            (
                *(measure_cell(row, key, digits) for key, digits in keys),
                Cell(number(over_groups(row, "churn_between_groups")[0], 4)),
            ),
            row["cohort"],
        )
        for row in study["rows"]
        if row["epoch"] <= 1
    ]
    return Table(
        "Calibration and agreement",
        "Means over peers ± standard deviation over seed groups, after one epoch. PCOC is "
        "predicted over observed clicks. Disagreement is the mean |pᵢ − pⱼ| of peers of a group; "
        "churn the mean |p − p′| of the same peer retrained from other seeds, one number for all "
        "groups.",
        ("", "logloss", "PCOC", "ECE", "disagreement", "error correlation", "churn"),
        tuple(rows),
    )


def peers_table(study: dict) -> Table:
    """Every group's AUCs, for who wants to compute for themselves."""
    seeds = {c["name"]: [p["seed"] for p in c["peers"]] for c in study["config"]["cohorts"]}
    rows = [
        Row(
            f"{row['arm']}, epoch {row['epoch']}",
            (
                Cell(" ".join(str(s + GROUP_SEED_STRIDE * g) for s in seeds[row["cohort"]])),
                Cell(" ".join(number(value, 5) for value in group["aucs"])),
                Cell(number(group["ensemble_auc"], 5)),
                Cell(number(group["served_auc"], 5)),
            ),
            row["cohort"],
        )
        for row in study["rows"]
        for g, group in enumerate(row["groups"])
    ]
    return Table(
        "Every peer",
        "Test AUC of each peer in the order of the cohort, of their averaged probability, and of "
        "the peer that dev would choose.",
        ("", "seeds", "peers", "ensemble", "best on dev"),
        tuple(rows),
    )


def _the_paper() -> str:
    return (
        "The paper's settings: learning rate "
        f"{PAPER['lr']:g}, weight {PAPER['weight']:g}, space {PAPER['space']}."
    )


def _found(study: dict, h: dict) -> Cell:
    if h["value"] is None:
        return Cell("no change to share")
    row = row_of(study, h["cohort"], h["arm"])
    whole = f" of a {gain_or_loss(row)}" if h["measure"] == "share" else ""
    ends = f"{_value(h, h['low'])} … {_value(h, h['high'])}"
    return Cell(f"{_value(h, h['value'])}{whole}", ends)


def _value(h: dict, value: float) -> str:
    if h["measure"] == "relaimp":
        return percent(value)
    return f"{100 * value:.0f} %".replace("-", "−")
