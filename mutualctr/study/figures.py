"""A study's figures. Each takes the record and returns a matplotlib figure, or None for nothing.

Mutual is blue and solid, its control orange and dashed, the paper's own numbers grey.
"""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mutualctr.evaluation.auc import relaimp
from mutualctr.evaluation.figures import COLOUR, LINE, MARKER, STYLE
from mutualctr.study import paper
from mutualctr.study.config import PRETRAINED
from mutualctr.study.record import (
    Found,
    by_weight,
    control_of,
    ensemble_gain,
    first_arm,
    mutuals,
    over,
    row_of,
    same,
)

GREY, ZERO, OTHER = "#6b6b6b", "#222222", "#009e73"
PRINTED = {"avazu": "^", "criteo": "v"}
"""The paper's data sets and their marks."""
AXIS = "RelaImp over pretrained, %"


@rc_context(STYLE)
def claims_figure(study: dict) -> Figure | None:
    """Mutual, the extra epoch alone and the paper's gain for every cohort, one line each."""
    arms = mutuals(study)
    if not arms:
        return None
    figure = Figure(figsize=(10, 1.5 + 0.46 * len(arms)))
    axes = figure.subplots()
    for place, m in enumerate(arms):
        if m.control:
            _across(axes, place + 0.14, m.control_gain, "control")
        _across(axes, place - 0.14, m.gain, "mutual")
        for data_set, gain in _printed(m.cohort).items():
            axes.plot(100 * gain, place, PRINTED[data_set], color=GREY, markersize=6, zorder=3)
        axes.plot(100 * ensemble_gain(m.pretrained), place, "*", color=ZERO, markersize=9)
    axes.axvline(0, color=ZERO, linewidth=1)
    axes.set_yticks(range(len(arms)), [m.name for m in arms])
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.set_xlabel(AXIS)
    for label, look in {
        "mutual": {"marker": MARKER["mutual"], "color": COLOUR["mutual"]},
        "the extra epoch alone": {"marker": MARKER["control"], "color": COLOUR["control"]},
        "ensemble of the pretrained": {"marker": "*", "color": ZERO},
        "paper, Avazu": {"marker": PRINTED["avazu"], "color": GREY},
        "paper, Criteo": {"marker": PRINTED["criteo"], "color": GREY},
    }.items():
        axes.plot([], [], linestyle="", label=label, **look)
    figure.legend(loc="outside upper left", ncols=5)
    return figure


@rc_context(STYLE)
def arms_figure(study: dict) -> Figure:
    """Every arm after one epoch: RelaImp over the pretrained peers, a panel per cohort."""
    shown = {
        cohort["name"]: [
            row for row in study["rows"] if row["cohort"] == cohort["name"] and row["epoch"] == 1
        ]
        for cohort in study["cohorts"]
    }
    tallest = max(len(rows) for rows in shown.values())
    figure, grid = _panels(len(shown), 0.9 + 0.27 * tallest, across=2, sharey=False)
    for axes, (cohort, rows) in zip(grid, shown.items(), strict=True):
        for place, row in enumerate(rows):
            kind = row["kind"] if row["kind"] in COLOUR else "other"
            _across(axes, place, over(row, PRETRAINED), kind)
        start = row_of(study, cohort, PRETRAINED)
        axes.axvline(100 * ensemble_gain(start), color=GREY, linestyle=":", linewidth=1.4)
        axes.axvline(0, color=ZERO, linewidth=1)
        axes.set_yticks(range(len(rows)), [row["arm"] for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(False, axis="y")
        axes.set_title(cohort)
        axes.set_xlabel(AXIS)
    return figure


@rc_context(STYLE)
def peers_figure(study: dict) -> Figure | None:
    """Gain against the number of peers that learn together, a panel per architecture."""
    mutual = first_arm(study, "mutual")
    lines: dict[str, dict[str, list]] = {}
    for cohort in study["cohorts"]:
        row = row_of(study, cohort["name"], mutual)
        if same(cohort) is None or row is None:
            continue
        own = lines.setdefault(same(cohort), {"mutual": [], "control": []})
        size = len(cohort["architectures"])
        own["mutual"].append((size, over(row, PRETRAINED)))
        control = control_of(study, cohort, mutual)
        if control:
            own["control"].append((size, over(control, PRETRAINED)))
    lines = {name: own for name, own in lines.items() if len(own["mutual"]) > 1}
    if not lines:
        return None
    figure, grid = _panels(len(lines), 3.2)
    for axes, (architecture, own) in zip(grid, lines.items(), strict=True):
        for kind, points in own.items():
            _along(axes, sorted(points), kind)
        for data_set, mark in PRINTED.items():
            table = paper.TABLES_3_AND_4.get((data_set, architecture))
            if table:
                gains = {n: relaimp(np.mean(b), np.mean(a)) for n, (a, b) in sorted(table.items())}
                axes.plot(
                    list(gains), [100 * gain for gain in gains.values()], mark, linestyle=":",
                    color=GREY, label=f"paper, {data_set.title()}",
                )  # fmt: skip
        axes.xaxis.get_major_locator().set_params(integer=True)
        _finish(axes, architecture, "peers")
    return figure


@rc_context(STYLE)
def epochs_figure(study: dict) -> Figure | None:
    """Gain after each finetune epoch, a panel per cohort; control beside mutual."""
    mutual, shown = first_arm(study, "mutual"), {}
    for cohort in study["cohorts"]:
        rows = [r for r in study["rows"] if r["cohort"] == cohort["name"] and r["epoch"] > 0]
        if sum(row["arm"] == mutual for row in rows) < 2:
            continue
        control = control_of(study, cohort, mutual)
        arms = {"mutual": mutual, "control": control["arm"] if control else None}
        shown[cohort["name"]] = {
            kind: sorted((r["epoch"], over(r, PRETRAINED)) for r in rows if r["arm"] == arm)
            for kind, arm in arms.items()
        }
    if not shown:
        return None
    figure, grid = _panels(len(shown), 2.9)
    for axes, (cohort, lines) in zip(grid, shown.items(), strict=True):
        for kind, points in lines.items():
            _along(axes, points, kind)
        axes.xaxis.get_major_locator().set_params(integer=True)
        _finish(axes, cohort, "finetune epochs")
    return figure


@rc_context(STYLE)
def weight_figure(study: dict) -> Figure | None:
    """Gain against the weight of the pull, a panel per cohort, space and rate; the control, which
    has no weight, as a band."""
    shown = by_weight(study)
    if not shown:
        return None
    figure, grid = _panels(len(shown), 2.9)
    for axes, ((cohort, space, lr), points) in zip(grid, shown.items(), strict=True):
        control = points[0][2]
        if control:
            alone = over(control, PRETRAINED)
            axes.axhspan(100 * alone.low, 100 * alone.high, color=COLOUR["control"], alpha=0.15)
            axes.axhline(
                100 * alone.value, color=COLOUR["control"], linestyle=LINE["control"],
                label="control",
            )  # fmt: skip
        _along(axes, [(weight, over(row, PRETRAINED)) for weight, row, _ in points], "mutual")
        axes.set_xscale("log")
        axes.set_xticks([p[0] for p in points], [f"{p[0]:g}" for p in points], rotation=30)
        axes.minorticks_off()
        _finish(axes, f"{cohort}: {space}, lr {lr:g}", "weight")
    return figure


def _panels(count: int, height: float, across: int = 3, sharey: bool = True) -> tuple:
    """A figure with a grid of panels on one scale, those not needed hidden."""
    across = 2 if count == 4 else min(across, count)
    down = ceil(count / across)
    figure = Figure(figsize=(10, down * height))
    grid = figure.subplots(down, across, squeeze=False, sharey=sharey, sharex=not sharey)
    for axes in grid.flat:
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return figure, grid.flat[:count]


def _across(axes: Axes, place: float, found: Found, kind: str) -> None:
    """One interval lying along a line of its own."""
    value, low, high = (100 * end for end in found)
    axes.errorbar(
        value, place, xerr=[[value - low], [high - value]], capsize=3, linestyle="",
        marker=MARKER.get(kind, "o"), color=COLOUR.get(kind, OTHER),
    )  # fmt: skip


def _along(axes: Axes, points: Sequence[tuple[float, Found]], kind: str) -> None:
    """Intervals standing side by side, joined by a line."""
    if not points:
        return
    value, low, high = 100 * np.array([found for _, found in points]).T
    axes.errorbar(
        [x for x, _ in points], value, yerr=[value - low, high - value], capsize=3,
        color=COLOUR[kind], marker=MARKER[kind], linestyle=LINE[kind], label=kind,
    )  # fmt: skip


def _finish(axes: Axes, title: str, label: str) -> None:
    axes.axhline(0, color=ZERO, linewidth=1)
    axes.set_title(title)
    axes.set_xlabel(label)
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel(AXIS)
    if axes.get_subplotspec().is_first_col() and axes.get_subplotspec().is_first_row():
        axes.legend(fontsize=8)


def _printed(cohort: dict) -> dict[str, float]:
    """The paper's RelaImp for a cohort like this one, by data set."""
    architecture, size = same(cohort), len(cohort["architectures"])
    gains = {}
    for data_set, table in paper.TABLE_1.items():
        if size == 4 and architecture in table:
            printed = table[architecture]
            pair = printed[paper.MUTUAL], printed[paper.INDEPENDENT]
        elif size in paper.TABLES_3_AND_4.get((data_set, architecture), {}):
            pair = paper.TABLES_3_AND_4[data_set, architecture][size][::-1]
        else:
            continue
        gains[data_set] = relaimp(*(float(np.mean(aucs)) for aucs in pair))
    return gains
