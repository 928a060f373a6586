"""A study's figures. Each takes the record and returns a matplotlib figure, or None for nothing."""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from mutualctr.evaluation.figures import COLOUR, STYLE
from mutualctr.study.config import ENSEMBLE, PRETRAINED

COLOURS = ("#0072b2", "#d98c00", "#009e73", "#cc79a7", "#56b4e9", "#6b6b6b", "#e69f00", "#d55e00")


@rc_context(STYLE)
def arms_figure(study: dict) -> Figure:
    """Every arm after one epoch: RelaImp over the pretrained peers, a panel per cohort."""
    cohorts = [c["name"] for c in study["cohorts"]]
    across = min(3, len(cohorts))
    down = -(-len(cohorts) // across)
    shown = {
        cohort: [
            row
            for row in study["rows"]
            if row["cohort"] == cohort and row["epoch"] == 1 and PRETRAINED in row["vs"]
        ]
        for cohort in cohorts
    }
    tallest = max(len(rows) for rows in shown.values())
    figure = Figure(figsize=(10, down * (1.1 + 0.3 * tallest)))
    grid = figure.subplots(down, across, squeeze=False, sharex=True)
    for axes, cohort in zip(grid.flat, cohorts, strict=False):
        rows = shown[cohort]
        for place, row in enumerate(rows):
            found = row["vs"][PRETRAINED]
            colour = COLOUR.get(row["kind"], "#009e73")
            axes.errorbar(
                100 * found["relaimp"],
                place,
                xerr=[
                    [100 * (found["relaimp"] - found["low"])],
                    [100 * (found["high"] - found["relaimp"])],
                ],
                fmt="o",
                color=colour,
                capsize=3,
            )
        ensemble = _ensemble_gain(study, cohort)
        axes.axvline(100 * ensemble, color="#6b6b6b", linestyle=":", linewidth=1.2)
        axes.axvline(0, color="#222222", linewidth=1)
        axes.set_yticks(range(len(rows)), [row["arm"] for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(False, axis="y")
        axes.set_title(cohort)
    for axes in grid.flat[len(cohorts) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("RelaImp over pretrained, %")
    return figure


@rc_context(STYLE)
def gains_figure(study: dict) -> Figure | None:
    """Gain against the number of peers, against epochs, and against the weight of the pull."""
    panels = [
        (title, label, lines)
        for title, label, lines in (
            ("Number of peers", "peers", _by_peers(study)),
            ("Finetune epochs", "epochs", _by_epochs(study)),
            ("Weight of the pull", "weight", _by_weight(study)),
        )
        if lines
    ]
    if not panels:
        return None
    figure = Figure(figsize=(10, 3.6))
    for axes, (title, label, lines) in zip(
        np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True
    ):
        for place, (name, points) in enumerate(lines.items()):
            x, y, low, high = np.array(points).T
            colour, line = COLOURS[place % len(COLOURS)], "--" if "control" in name else "-"
            axes.errorbar(
                x,
                100 * y,
                yerr=[100 * (y - low), 100 * (high - y)],
                color=colour,
                linestyle=line,
                marker="o",
                capsize=3,
                label=name,
            )
        axes.axhline(0, color="#222222", linewidth=1)
        if label == "weight":
            axes.set_xscale("log")
        else:
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(label)
        axes.set_title(title)
        axes.legend(fontsize=7.5)
    figure.axes[0].set_ylabel("RelaImp over pretrained, %")
    return figure


def _point(x: float, row: dict) -> tuple[float, float, float, float]:
    found = row["vs"][PRETRAINED]
    return x, found["relaimp"], found["low"], found["high"]


def _ensemble_gain(study: dict, cohort: str) -> float:
    """RelaImp of the pretrained ensemble over the mean pretrained peer."""
    row = next(r for r in study["rows"] if r["cohort"] == cohort and r["arm"] == PRETRAINED)
    # relaimp(a, b) of one peer over the ensemble, turned round: 1/(1 + r) − 1
    return 1 / (1 + row["vs"][ENSEMBLE]["relaimp"]) - 1


def _by_peers(study: dict) -> dict[str, list]:
    sizes = {
        c["name"]: (c["architectures"][0], len(c["architectures"]))
        for c in study["cohorts"]
        if len(set(c["architectures"])) == 1
    }
    lines: dict[str, list] = {}
    for kind in ("mutual", "control"):
        arm = next((a["name"] for a in study["arms"] if a["kind"] == kind), None)
        for row in study["rows"]:
            if row["arm"] == arm and row["epoch"] == 1 and row["cohort"] in sizes:
                architecture, size = sizes[row["cohort"]]
                lines.setdefault(f"{architecture} {arm}", []).append(_point(size, row))
    return {name: sorted(points) for name, points in lines.items() if len(points) > 1}


def _by_epochs(study: dict) -> dict[str, list]:
    lines: dict[str, list] = {}
    for row in study["rows"]:
        if row["epoch"] >= 1:
            name = f"{row['cohort']} {row['arm']}"
            lines.setdefault(name, []).append(_point(row["epoch"], row))
    return {name: points for name, points in lines.items() if len(points) > 1}


def _by_weight(study: dict) -> dict[str, list]:
    tuned = {c["name"]: c["finetuning"] for c in study["cohorts"]}
    arms = {a["name"]: a for a in study["arms"] if a["kind"] == "mutual"}
    lines: dict[tuple, list] = {}
    for row in study["rows"]:
        if row["arm"] in arms and row["epoch"] == 1:
            said = {
                key: arms[row["arm"]][key] or tuned[row["cohort"]][key]
                for key in ("weight", "space", "lr")
            }
            name = f"{row['cohort']} {said['space']}, lr {said['lr']:g}"
            lines.setdefault(name, []).append(_point(said["weight"], row))
    return {name: sorted(points) for name, points in lines.items() if len(points) > 2}
