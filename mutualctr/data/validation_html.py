"""A validation report as one HTML file that needs nothing from outside."""

from html import escape
from itertools import groupby
from string import Template

from mutualctr.data.validation import Result, ValidationReport

SEVERITIES = ("critical", "warning", "info")

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
body { margin: 0 auto; max-width: 1040px; padding: 28px 24px 60px; background: #fff; color: #1c1c1c;
 font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 18px; margin: 40px 0 10px; padding-top: 14px; border-top: 1px solid #ddd; }
.quiet { color: #555; }
.verdict { margin: 20px 0 0; padding: 16px 20px; background: #eff7f1;
 border-left: 5px solid #00734f; font-size: 19px; font-weight: 600; }
.verdict.critical { background: #fbf0ef; border-color: #b3261e; }
.verdict.warning { background: #fdf6e7; border-color: #b26a00; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; border-bottom: 1px solid #888; padding: 5px 10px; vertical-align: bottom; }
td { padding: 6px 10px; border-bottom: 1px solid #ececec; vertical-align: top;
 overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; }
.mark { white-space: nowrap; font-weight: 600; }
.critical .mark { color: #b3261e; }
.warning .mark { color: #8f5500; }
code { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
</style>
</head>
<body>
<h1>$title</h1>
<div class="quiet">$subtitle</div>
<p class="verdict $worst">$verdict</p>
$failed
<h2>Held</h2>
$held
</body>
</html>
""")


def render_html(report: ValidationReport) -> str:
    """The report for people: what failed first, by severity, then what held."""
    failed = [result for severity in SEVERITIES for result in report.failed(severity)]
    worst = failed[0].severity if failed else ""
    return _PAGE.substitute(
        title=escape(f"Data of contract {report.contract}"),
        subtitle=f"{report.rows:,} rows, {len(report.results)} expectations, every row checked",
        worst=worst,
        verdict=escape(_verdict(report)),
        failed=_failed(failed, report.rows) if failed else "",
        held=_held(report),
    )


def _verdict(report: ValidationReport) -> str:
    counts = [
        f"{len(report.failed(severity))} {severity}"
        for severity in SEVERITIES
        if report.failed(severity)
    ]
    verdict = report.verdict.capitalize()
    return f"{verdict}: failed {', '.join(counts)}." if counts else f"{verdict}: everything held."


def _failed(results: list[Result], rows: int) -> str:
    body = "\n".join(
        f'<tr class="{result.severity}"><td class="mark">✗ {result.severity}</td>'
        f"<td>{escape(result.column or 'the table')}</td>"
        f'<td>{escape(result.words)}</td><td class="number">{_count(result, rows)}</td>'
        f"<td>{_first_of_them(result)}</td></tr>"
        for result in results
    )
    head = _head("Severity", "Column", "Rule", "#Rows that break it", "First of them")
    return (
        f'<h2>Failed</h2>\n<div class="wide"><table>{head}<tbody>\n{body}\n</tbody></table></div>'
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
    return f'<div class="wide"><table>{head}<tbody>\n{body}\n</tbody></table></div>'


def _head(*names: str) -> str:
    """Table head; a name that begins with # stands over numbers."""
    cells = "".join(
        f'<th class="number">{name[1:]}</th>' if name.startswith("#") else f"<th>{name}</th>"
        for name in names
    )
    return f"<thead><tr>{cells}</tr></thead>"
