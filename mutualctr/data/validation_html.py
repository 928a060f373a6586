"""A validation report as one HTML file that needs nothing from outside."""

from html import escape
from itertools import groupby

from mutualctr.data.verdict import Drift, FieldDrift, Result, ValidationReport
from mutualctr.page import whole_page

SEVERITIES = ("critical", "warning", "info")

LOOK = {"rejected": "bad", "accepted": ""}
"""Of the verdict box; red, green, and amber for everything between."""


def render_html(report: ValidationReport) -> str:
    """The report for people: what failed first, by severity, then what held."""
    failed = [result for severity in SEVERITIES for result in report.failed(severity)]
    subtitle = f"{report.rows:,} rows, {len(report.results)} expectations, every row checked"
    if report.drift:
        subtitle += f"; compared with a snapshot of {report.drift.reference_rows:,} rows"
    look = LOOK.get(report.verdict, "warning")
    parts = [
        f'<p class="verdict {look}">{escape(_verdict(report))}</p>',
        _set_aside(report),
        _failed(failed, report) if failed else "",
        _drift(report.drift) if report.drift else "",
        f"<h2>Held</h2>\n{_held(report)}",
    ]
    return whole_page(f"Data of contract {report.contract}", subtitle, "\n".join(parts))


def _verdict(report: ValidationReport) -> str:
    counts = [
        f"{len(report.failed(severity))} {severity}"
        for severity in SEVERITIES
        if report.failed(severity)
    ]
    verdict = report.verdict.capitalize()
    return f"{verdict}: failed {', '.join(counts)}." if counts else f"{verdict}: everything held."


def _set_aside(report: ValidationReport) -> str:
    if not report.set_aside and not report.malformed:
        return ""
    lines = report.rows + report.malformed
    share = 100 * (report.set_aside + report.malformed) / lines
    limit = "" if report.limit_percent is None else f", where {report.limit_percent:g} % is allowed"
    return (
        f"<h2>Set aside</h2>\n<p>{report.set_aside:,} rows break a critical rule and "
        f"{report.malformed:,} lines could not be read: {share:.3g} % of {lines:,}{limit}. "
        "<code>quarantine.parquet</code> has the rows with the rules that each breaks. "
        "Rules about the table are judged by the rows that stay.</p>"
    )


def _drift(drift: Drift) -> str:
    """What moved since the snapshot, the most moved column first."""
    columns = sorted(drift.columns, key=lambda column: -column.psi)
    widest = max((column.psi for column in columns), default=0.0) or 1.0
    body = "\n".join(_drift_line(column, widest) for column in columns)
    head = _head("Column", "PSI", "#Jensen–Shannon, bits", "#Unseen values", "#Missing then → now")
    return (
        "<h2>Drift</h2>\n"
        f"<p>Click rate {100 * drift.click_rate_reference:.4g} % → {100 * drift.click_rate:.4g} %: "
        f"a difference of {100 * drift.low:+.3g} to {100 * drift.high:+.3g} points "
        f"(95 % interval).</p>\n"
        f'<div class="wide"><table class="words">{head}<tbody>\n{body}\n</tbody></table></div>'
    )


def _drift_line(column: FieldDrift, widest: float) -> str:
    width = round(120 * column.psi / widest)
    unseen = "–" if column.unseen_share is None else f"{100 * column.unseen_share:.2f} %"
    return (
        f'<tr><td>{escape(column.column)}</td><td><span class="bar" style="width:{width}px">'
        f'</span>{column.psi:.4f}</td><td class="number">{column.jensen_shannon:.4f}</td>'
        f'<td class="number">{unseen}</td><td class="number">'
        f"{100 * column.missing_reference:.2f} → {100 * column.missing_now:.2f} %</td></tr>"
    )


def _answer(result: Result, report: ValidationReport) -> str:
    """What was done about a failure that did not stop the run."""
    answered = result.severity == "critical" and result not in report.stopping
    return ",<br>set aside" if answered else ""


def _failed(results: list[Result], report: ValidationReport) -> str:
    body = "\n".join(
        f'<tr class="{result.severity}"><td class="mark">✗ {result.severity}'
        f"{_answer(result, report)}</td>"
        f"<td>{escape(result.column or 'the table')}</td>"
        f'<td>{escape(result.words)}</td><td class="number">{_count(result, report.rows)}</td>'
        f"<td>{_first_of_them(result)}</td></tr>"
        for result in results
    )
    head = _head("Severity", "Column", "Rule", "#Rows that break it", "First of them")
    return (
        f'<h2>Failed</h2>\n<div class="wide"><table class="words">{head}<tbody>\n{body}\n</tbody>'
        "</table></div>"
    )


def _count(result: Result, rows: int) -> str:
    if not result.unexpected_count:
        return "–"
    return f"{result.unexpected_count:,}<br>{100 * result.unexpected_count / rows:.3g} %"


def _first_of_them(result: Result) -> str:
    """The first offending rows, or what was observed where no single row offends."""
    if not result.offenders:
        return escape(result.observed)
    return "<br>".join(
        f"row {offender.row:,}: "
        + ("missing" if offender.value is None else f"<code>{escape(str(offender.value))}</code>")
        for offender in result.offenders
    )


def _held(report: ValidationReport) -> str:
    """What held, one line for each rule with all columns it held for."""

    def same(result: Result) -> tuple[int, str]:
        return SEVERITIES.index(result.severity), result.words

    held = sorted((result for result in report.results if result.success), key=same)
    lines = []
    for (severity, words), results in groupby(held, key=same):
        columns = ", ".join(result.column or "the table" for result in results)
        lines.append(
            f'<tr><td class="mark">✓ {SEVERITIES[severity]}</td><td>{escape(columns)}</td>'
            f"<td>{escape(words)}</td></tr>"
        )
    if not lines:
        return "<p>Nothing.</p>"
    body = "\n".join(lines)
    head = _head("Severity", "Columns", "Rule")
    return f'<div class="wide"><table class="words">{head}<tbody>\n{body}\n</tbody></table></div>'


def _head(*names: str) -> str:
    """Table head; a name that begins with # stands over numbers."""
    cells = "".join(
        f'<th class="number">{name[1:]}</th>' if name.startswith("#") else f"<th>{name}</th>"
        for name in names
    )
    return f"<thead><tr>{cells}</tr></thead>"
