"""A monitoring as one HTML file that needs nothing from outside."""

from collections.abc import Iterator
from html import escape

from mutualctr.data.verdict import FieldDrift
from mutualctr.evaluation.figures import svg_image
from mutualctr.evaluation.wording import count, number
from mutualctr.monitoring.alarms import crossings
from mutualctr.monitoring.days import Day, Estimate, Monitored
from mutualctr.monitoring.figure import columns_figure, days_figure
from mutualctr.monitoring.wording import headline, spoken_state
from mutualctr.page import whole_page

HEAD = (
    '<thead><tr><th></th><th class="starts" colspan="2">Rows</th>'
    '<th class="starts" colspan="2">Click rate, %</th>'
    '<th class="starts" colspan="3">On rows with labels</th>'
    '<th class="starts" colspan="2">PSI</th></tr>\n'
    '<tr><th>Day</th><th class="starts">scored</th><th>labelled</th>'
    '<th class="starts">predicted</th><th>observed</th>'
    '<th class="starts">PCOC</th><th>logloss</th><th>AUC</th>'
    '<th class="starts">scores</th><th>worst column</th></tr></thead>'
)


def render_html(monitored: Monitored) -> str:
    """What was crossed first, then every day, the plots, and what the thresholds are."""
    found = crossings(monitored.days)
    parts = [
        f'<p class="verdict {"bad" if found else ""}">{escape(headline(monitored))}</p>',
        *(f'<p class="caution">{escape(sentence)}</p>' for sentence in monitored.cautions),
        *_crossed(monitored),
        "<h2>By day</h2>",
        svg_image(days_figure(monitored), "Click rates, PCOC, AUC and PSI by day")
        if any(day.model for day in monitored.days)
        else "",
        '<p class="quiet">Bars are 95 % intervals. Filled marks were judged, hollow ones were not; '
        "red ones crossed a threshold (dashed). Grey days wait for labels.</p>",
        f'<div class="wide"><table class="days">{HEAD}<tbody>',
        *(_day(day) for day in reversed(monitored.days)),
        "</tbody></table></div>",
        '<p class="quiet">A day that waits for labels is no day without clicks: its measures are '
        "missing, and its predicted rate is of all rows scored.</p>",
        *_columns(monitored),
        "<h2>Thresholds</h2>",
        *_thresholds(monitored),
    ]
    return whole_page(
        f"Monitoring of {monitored.model}",
        f"contract {monitored.contract} · labels from {monitored.source} · "
        f"{len(monitored.days)} days",
        "\n".join(parts),
    )


def _crossed(monitored: Monitored) -> Iterator[str]:
    found = crossings(monitored.days)
    if not found:
        return
    yield "<h2>Crossed</h2>"
    yield '<div class="wide"><table class="words"><thead><tr><th>Day</th><th>Version</th>'
    yield "<th>Measure</th><th>Asked</th><th>Found</th></tr></thead><tbody>"
    for entry in reversed(found):
        cells = (entry.model, entry.rule, entry.asks, entry.found)
        yield (
            f'<tr class="failed"><td class="mark">{entry.day}</td>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            + "</tr>"
        )
    yield "</tbody></table></div>"


def _day(day: Day) -> str:
    model = escape(day.model or "no version")
    worst = day.worst_column
    cells = [
        f'<td class="starts">{count(day.rows_scored)}</td>',
        f"<td>{_labelled(day)}</td>",
        f'<td class="starts">{_shown(day.predicted_rate, 2, 100)}</td>',
        f"<td>{_estimate(day.observed_rate, 2, 100)}</td>",
        f'<td class="starts">{_estimate(day.pcoc, 3)}</td>',
        f"<td>{_shown(day.logloss and day.logloss.value, 4)}</td>",
        f"<td>{_estimate(day.auc, 4)}</td>",
        f'<td class="starts">{_shown(day.probability_psi, 3)}</td>',
        f"<td>{_shown(worst and worst.psi, 3)}"
        + (f'<br><span class="quiet">{escape(worst.column)}</span>' if worst else "")
        + "</td>",
    ]
    return (
        f'<tr><th scope="row">{day.day}<br><span class="quiet">{model}, '
        f"{escape(spoken_state(day))}</span></th>{''.join(cells)}</tr>"
    )


def _labelled(day: Day) -> str:
    if not day.labelled_only:
        return count(day.rows_matched)
    alone = f"{count(day.labelled_only)} never scored"
    return f'{count(day.rows_matched)}<br><span class="quiet">+ {alone}</span>'


def _estimate(found: Estimate | None, digits: int, scale: float = 1) -> str:
    if found is None:
        return "–"
    value, low, high = (
        "∞" if end is None else number(scale * end, digits)
        for end in (found.value, found.low, found.high)
    )
    return f'{value}<br><span class="quiet">{low} … {high}</span>'


def _shown(value: float | None, digits: int, scale: float = 1) -> str:
    return "–" if value is None else number(scale * value, digits)


def _columns(monitored: Monitored) -> Iterator[str]:
    figure = columns_figure(monitored)
    if figure is None:
        return
    yield "<h2>Columns</h2>"
    yield (
        '<p class="quiet">PSI of the events with labels against the events that the version was '
        "trained on, the most moved columns first; days in brackets were not judged.</p>"
    )
    yield svg_image(figure, "PSI of columns by day")
    newest = [day for day in monitored.days if day.columns][-1]
    yield f"<details><summary>All columns on {newest.day}</summary>"
    yield '<div class="wide"><table><thead><tr><th>Column</th><th>PSI</th>'
    yield "<th>Jensen–Shannon, bits</th><th>Unseen values, %</th>"
    yield "<th>Missing then → now, %</th></tr></thead><tbody>"
    for column in sorted(newest.columns, key=lambda column: -column.psi):
        yield _column(column)
    yield "</tbody></table></div></details>"


def _column(column: FieldDrift) -> str:
    return (
        f'<tr><th scope="row">{escape(column.column)}</th><td>{number(column.psi, 4)}</td>'
        f"<td>{number(column.jensen_shannon, 4)}</td>"
        f"<td>{_shown(column.unseen_share, 2, 100)}</td>"
        f"<td>{number(100 * column.missing_reference, 2)} → "
        f"{number(100 * column.missing_now, 2)}</td></tr>"
    )


def _thresholds(monitored: Monitored) -> Iterator[str]:
    yield "<dl>"
    for name, value in monitored.alarms.model_dump().items():
        if name == "pcoc" and value is not None:
            value = f"{value['low']:g} … {value['high']:g}"
        text = "not looked at" if value is None else str(value)
        if name == "retrain" and value is None:
            text = "nothing; alarms are told only"
        yield f"<dt>{name}</dt><dd>{escape(text)}</dd>"
    yield "</dl>"
    yield (
        '<p class="quiet">Measures with an interval cross a threshold when all of the interval '
        "lies beyond it.</p>"
    )
