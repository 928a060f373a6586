"""Figures of learning: all peers together for the report, one peer for its tracked run."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mutualctr.evaluation.figures import COLOUR, LINE, MARKER, STYLE
from mutualctr.evaluation.scored import ARMS

TITLE = {
    "train_loss": "train loss",
    "dev_auc": "dev AUC",
    "dev_logloss": "dev logloss",
    "mutual_loss": "mutual loss",
    "lr": "learning rate",
}


@rc_context(STYLE)
def learning_figure(report: dict) -> Figure:
    """Dev AUC and logloss of every peer: pretraining left, the finetune epoch right."""
    figure = Figure(figsize=(10, 5.6))
    grid = figure.subplots(2, 2)
    for row, key in zip(grid, ("dev_auc", "dev_logloss"), strict=True):
        for peer in report["peers"]:
            draw_curves(row[0], report["curves"], peer["name"], key, ("pretrained",))
            draw_curves(row[1], report["curves"], peer["name"], key, ("control", "mutual"))
        row[0].set_title(f"Pretraining: {TITLE[key]}")
        row[1].set_title(f"Finetuning: {TITLE[key]}")
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    for axes in grid[0]:
        legend_once(axes)
    return figure


@rc_context(STYLE)
def peer_figure(report: dict, name: str) -> Figure:
    """Everything that was logged while one peer learned, an axis per quantity."""
    keys = [
        key
        for key in TITLE
        if any(r["peer"] == name and r.get(key) is not None for r in report["curves"])
    ]
    figure = Figure(figsize=(10, 2.4 * len(keys)))
    grid = figure.subplots(len(keys), 2, squeeze=False)
    for row, key in zip(grid, keys, strict=True):
        draw_curves(row[0], report["curves"], name, key, ("pretrained",))
        draw_curves(row[1], report["curves"], name, key, ("control", "mutual"))
        for axes in row:
            axes.set_ylabel(TITLE[key])
    grid[0, 0].set_title(f"{name}: pretraining")
    grid[0, 1].set_title(f"{name}: finetuning")
    for axes in grid.flat:
        axes.set_visible(axes.has_data())
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    legend_once(grid[0, 1])
    return figure


def draw_curves(
    axes: Axes, records: list[dict], peer: str, key: str, arms: tuple[str, ...]
) -> None:
    """One line per arm; a record without the quantity is left out."""
    assert set(arms) <= set(ARMS), arms
    for arm in arms:
        own = [r for r in records if r["peer"] == peer and r["arm"] == arm]
        points = np.array([(r["epoch"], r[key]) for r in own if r.get(key) is not None])
        if len(points):
            axes.locator_params(axis="x", nbins=6, steps=[1, 2, 5, 10])
            axes.plot(
                *points.T,
                color=COLOUR[arm],
                linestyle=LINE[arm],
                marker=MARKER[arm],
                markersize=3.5,
                markevery=max(1, len(points) // 20),
                linewidth=1.2,
                label=arm,
            )


def legend_once(axes: Axes) -> None:
    """A legend that names each arm once, however many peers have a line."""
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    if handles:
        axes.legend(handles.values(), handles.keys())
