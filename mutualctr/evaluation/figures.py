"""The report's figures. Each takes a report and returns a matplotlib figure.

Colours are Okabe and Ito's, which the colour-blind tell apart; shape or line tells arms apart too.
Figures stand alone (no pyplot, no display), so any thread may draw and nothing needs closing.
"""

import base64
import io
from html import escape

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mutualctr.evaluation.scored import ARMS
from mutualctr.evaluation.wording import shown_interval, signed

COLOUR = {"pretrained": "#6b6b6b", "control": "#d98c00", "mutual": "#0072b2"}
MARKER = {"pretrained": "o", "control": "s", "mutual": "D"}
LINE = {"pretrained": "-", "control": "--", "mutual": "-"}
STYLE = {
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "lines.markersize": 5,
    "svg.hashsalt": "mutualctr",  # else the file's ids, and so its bytes, differ every time
    "text.parse_math": False,  # a name may hold a dollar sign
}


@rc_context(STYLE)
def auc_figure(report: dict) -> Figure:
    """Left every peer's AUC from arm to arm; right the gains with their intervals."""
    several = report["delta_auc"]["mutual_vs_pretrained"]["groups"]["n"] > 1
    gains = 1 + len(report["ensembles"]["mutual"] if several else report["peers"])
    figure = Figure(figsize=(10, max(3.6, 1.4 + 0.46 * gains)))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    _draw_slopes(left, report)
    _draw_gains(right, report, several)
    return figure


def _draw_slopes(axes: Axes, report: dict) -> None:
    arms = [[entry["auc"] for entry in report["arms"][arm]] for arm in ARMS]
    ensembles = [[entry["auc"] for entry in report["ensembles"][arm]] for arm in ARMS]
    axes.plot(arms, color="#b5b5b5", linewidth=1, zorder=1)
    for position, arm in enumerate(ARMS):
        own = [position] * len(arms[position])
        axes.scatter(own, arms[position], color=COLOUR[arm], marker=MARKER[arm], s=26, zorder=2)
        axes.hlines(
            np.mean(arms[position]), position - 0.18, position + 0.18, COLOUR[arm], linewidth=2.5
        )
        own = [position + 0.28] * len(ensembles[position])
        axes.scatter(own, ensembles[position], color=COLOUR[arm], marker="*", s=70, zorder=2)
    axes.set_xticks(range(len(ARMS)), ARMS)
    axes.set_xlim(-0.4, len(ARMS) - 0.5)
    axes.grid(False, axis="x")
    axes.set_title("Test AUC: each peer, their mean (bar), ensemble (★)")


def _draw_gains(axes: Axes, report: dict, several: bool) -> None:
    """Peers with DeLong intervals where there is one group; groups and Student's where several."""
    offsets = {"mutual_vs_pretrained": -0.13, "mutual_vs_control": 0.13}
    for name, base, offset in zip(offsets, ARMS[:2], offsets.values(), strict=True):
        comparison = report["delta_auc"][name]
        delong = comparison["delong"]["per_group" if several else "per_peer"]
        rows = [(entry["delta"], entry["low"], entry["high"]) for entry in delong]
        rows.append((comparison["mean"], *shown_interval(comparison)))
        delta, low, high = np.array(rows).T
        axes.errorbar(
            delta,
            np.arange(len(rows)) + offset,
            xerr=[delta - low, high - delta],
            fmt=MARKER[base],
            color=COLOUR[base],
            capsize=3,
            label=f"over {base}",
        )
    names = [f"group {e['group']}" if several else e["peer"] for e in delong] + ["mean"]
    axes.axvline(0, color="#222222", linewidth=1)
    axes.axhline(len(delong) - 0.5, color="#b5b5b5", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.locator_params(axis="x", nbins=6)
    axes.xaxis.set_major_formatter(lambda value, _: "0" if value == 0 else signed(value, 5))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=2)
    kind = "DeLong; for the mean, Student over groups" if several else "DeLong"
    axes.set_xlabel(
        f"difference in test AUC, {100 * comparison['level']:.0f} % intervals\n({kind})"
    )
    axes.set_title("Gain of mutual")


@rc_context(STYLE)
def calibration_figure(report: dict) -> Figure:
    """An arm per column, a line per peer: click rate against probability, below their gap."""
    figure = Figure(figsize=(10, 5.4))
    grid = figure.subplots(2, len(ARMS), sharex=True, sharey="row", height_ratios=[1.4, 1])
    for arm, (rate, gap) in zip(ARMS, grid.T, strict=True):
        for entry in report["reliability"][arm]:
            predicted = np.array([point["predicted"] for point in entry["points"]])
            observed = np.array([point["observed"] for point in entry["points"]])
            look = {"color": COLOUR[arm], "marker": MARKER[arm], "markersize": 2.5, "alpha": 0.7}
            rate.plot(predicted, observed, linewidth=1, **look)
            gap.plot(predicted, observed - predicted, linewidth=1, **look)
        rate.axline((0, 0), slope=1, color="#222222", linewidth=0.8, zorder=1)
        gap.axhline(0, color="#222222", linewidth=0.8, zorder=1)
        rate.set_title(arm)
        gap.set_xlabel("mean probability of the bin")
    grid[0, 0].set_ylabel("observed click rate")
    grid[1, 0].set_ylabel("observed − predicted")
    return figure


@rc_context(STYLE)
def agreement_figure(report: dict) -> Figure:
    """How alike the peers of each group are after every arm."""
    panels = {
        "mean_abs_difference": "Mean |pᵢ − pⱼ|",
        "churn": "Churn: share of rows on different\nsides of the click rate",
        "logit_correlation": "Correlation of logits",
        "error_correlation": "Correlation of errors y − p",
    }
    figure = Figure(figsize=(10, 3))
    for axes, (key, title) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        groups = zip(*(report["agreement"][arm] for arm in ARMS), strict=True)
        values = [[np.nan if e[key] is None else e[key] for e in trio] for trio in groups]
        axes.plot(np.array(values).T, color="#b5b5b5", linewidth=1, zorder=1)
        for position, arm in enumerate(ARMS):
            own = [trio[position] for trio in values]
            axes.scatter([position] * len(own), own, color=COLOUR[arm], marker=MARKER[arm], s=30)
        axes.set_xticks(range(len(ARMS)), ["pre-\ntrained", "control", "mutual"])
        axes.set_xlim(-0.4, len(ARMS) - 0.6)
        axes.margins(y=0.15)
        axes.set_title(title, fontsize=9.5)
    return figure


@rc_context(STYLE)
def svg_data_uri(figure: Figure) -> str:
    """The figure as the address of an image, needing no network; the same bytes each time."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"


def svg_image(figure: Figure, alternative: str) -> str:
    """The figure as an element of a page; `alternative` says it to who cannot see it."""
    return f'<img src="{svg_data_uri(figure)}" alt="{escape(alternative)}">'
