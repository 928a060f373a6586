"""The plots of a monitoring: every measure by day, and the drift of every column by day.

A filled mark is a day that was judged, a hollow one a day that was not; red crossed a threshold.
"""

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from mutualctr.evaluation.figures import STYLE
from mutualctr.monitoring.days import Day, Estimate, Monitored

OBSERVED, PREDICTED, COLUMN, BAD, BOUND = "#222222", "#0072b2", "#d98c00", "#b3261e", "#b3261e"
SHOWN_COLUMNS = 24
"""In the map of drift; the most moved ones."""
LEAST_PSI = 1e-3
"""Where the axis begins; less is drawn as this."""
LARGE_PSI = 0.5
"""The darkest colour of the map; credit scoring calls 0.25 large."""


@rc_context(STYLE)
def days_figure(monitored: Monitored) -> Figure:
    """Click rates, PCOC, AUC and PSI, one above the other, over the same days."""
    days, alarms = [day for day in monitored.days if day.model is not None], monitored.alarms
    figure = Figure(figsize=(10, 8.4))
    rate, pcoc, auc, psi = figure.subplots(4, 1, sharex=True, height_ratios=[1.2, 1, 1, 1])
    _draw_estimates(rate, days, "observed_rate", None, OBSERVED, "observed")
    _draw_values(rate, days, lambda day: day.predicted_rate, None, PREDICTED, "predicted")
    _draw_estimates(pcoc, days, "pcoc", "pcoc", OBSERVED, None)
    pcoc.axhline(1, color=OBSERVED, linewidth=0.8)
    bounds = alarms.pcoc and (alarms.pcoc.low, alarms.pcoc.high)
    _draw_bounds(pcoc, bounds or ())
    _draw_estimates(auc, days, "auc", "auc", OBSERVED, None)
    _draw_bounds(auc, [alarms.auc_at_least])
    _draw_values(psi, days, _score_psi, "probability_psi", PREDICTED, "probabilities")
    _draw_values(psi, days, _worst_psi, "psi", COLUMN, "most moved column")
    _draw_bounds(psi, {alarms.probability_psi_at_most, alarms.psi_at_most})
    psi.set_yscale("log")
    psi.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for axes, title in (
        (rate, "Click rate"),
        (pcoc, "PCOC: predicted over observed clicks"),
        (auc, "AUC"),
        (psi, "PSI"),
    ):
        axes.set_title(title)
        _shade_waiting(axes, days)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper left", ncols=2)
        axes.margins(y=0.2)
    psi.set_ylim(bottom=LEAST_PSI)
    locator = AutoDateLocator(minticks=2, maxticks=10)
    psi.xaxis.set_major_locator(locator)
    psi.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    first, last = min(day.day for day in days), max(day.day for day in days)
    psi.set_xlim(_noon(first) - 0.6, _noon(last) + 0.6)
    return figure


@rc_context(STYLE)
def columns_figure(monitored: Monitored) -> Figure | None:
    """PSI of the most moved columns (rows) on every day (columns); None where none is known."""
    days = [day for day in monitored.days if day.columns]
    if not days:
        return None
    most = {}
    for day in days:
        for column in day.columns:
            most[column.column] = max(column.psi, most.get(column.column, 0.0))
    names = sorted(most, key=lambda name: -most[name])[:SHOWN_COLUMNS]
    psi_NT = np.full((len(names), len(days)), np.nan)
    for place, day in enumerate(days):
        found = {column.column: column.psi for column in day.columns}
        psi_NT[:, place] = [found[name] for name in names]
    figure = Figure(figsize=(10, 1.2 + 0.24 * len(names)))
    axes = figure.subplots()
    image = axes.imshow(psi_NT, cmap="Blues", vmin=0, vmax=LARGE_PSI, aspect="auto")
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(days)), [_tick(day) for day in days])
    axes.grid(False)
    if len(days) <= 14:
        for (row, place), value in np.ndenumerate(psi_NT):
            dark = value > LARGE_PSI / 2
            axes.text(
                place, row, f"{value:.3f}", ha="center", va="center", fontsize=8,
                color="white" if dark else OBSERVED,
            )  # fmt: skip
    figure.colorbar(image, ax=axes, label="PSI", extend="max")
    return figure


def _tick(day: Day) -> str:
    """In brackets where the day was not judged: few rows move by chance."""
    return f"{day.day:%d %b}" if day.state == "judged" else f"({day.day:%d %b})"


def _draw_estimates(
    axes: Axes, days: Sequence[Day], name: str, rule: str | None, colour: str, label: str | None
) -> None:
    """Values with their intervals; an end that is infinite is left off."""
    for day in days:
        found: Estimate | None = getattr(day, name)
        if found is None or found.value is None:
            continue
        own = BAD if _crossed(day, rule) else colour
        ends = [value for value in (found.low, found.high) if value is not None]
        if ends:
            axes.plot([_noon(day.day)] * 2, [min(ends), max(ends)], color=own, linewidth=1.2)
        _mark(axes, day, found.value, own, "o")
    if label:
        axes.plot([], [], "o", color=colour, label=label)


def _draw_values(
    axes: Axes,
    days: Sequence[Day],
    value_of: Callable[[Day], float | None],
    rule: str | None,
    colour: str,
    label: str,
) -> None:
    known = [(day, value) for day in days if (value := value_of(day)) is not None]
    axes.plot(
        [_noon(day.day) for day, _ in known], [value for _, value in known],
        color=colour, linewidth=1, alpha=0.5,
    )  # fmt: skip
    for day, value in known:
        _mark(axes, day, value, BAD if _crossed(day, rule) else colour, "D")
    axes.plot([], [], "D", color=colour, label=label)


def _mark(axes: Axes, day: Day, value: float, colour: str, marker: str) -> None:
    judged = day.state == "judged"
    axes.plot(
        [_noon(day.day)], [value], marker, color=colour,
        markerfacecolor=colour if judged else "white", zorder=3,
    )  # fmt: skip


def _draw_bounds(axes: Axes, bounds) -> None:
    for bound in bounds:
        if bound is not None:
            axes.axhline(bound, color=BOUND, linewidth=0.9, linestyle="--")


def _shade_waiting(axes: Axes, days: Sequence[Day]) -> None:
    for day in days:
        if day.state == "waiting":
            axes.axvspan(_noon(day.day) - 0.5, _noon(day.day) + 0.5, color="#f1f1f1", zorder=0)


def _worst_psi(day: Day) -> float | None:
    return None if day.worst_column is None else max(day.worst_column.psi, LEAST_PSI)


def _score_psi(day: Day) -> float | None:
    return None if day.probability_psi is None else max(day.probability_psi, LEAST_PSI)


def _crossed(day: Day, rule: str | None) -> bool:
    return any(verdict.rule == rule for verdict in day.crossed)


def _noon(day: date) -> float:
    """The day as matplotlib counts it: whole days since 1970."""
    return float((day - date(1970, 1, 1)).days)
