"""The page that every HTML report of the project is filled into, and the one home of its look.

Dark text on white, nothing from outside, no script.
"""

from html import escape
from string import Template

_SHELL = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
body { margin: 0 auto; max-width: 1040px; padding: 28px 24px 60px; background: #fff; color: #1c1c1c;
 font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 18px; margin: 40px 0 10px; padding-top: 14px; border-top: 1px solid #ddd; }
.quiet { color: #555; }
.finding { margin: 20px 0 0; padding: 16px 20px; background: #f2f7fb;
 border-left: 5px solid #0072b2; }
.finding p { margin: 0 0 8px; }
.finding p:last-child { margin: 0; }
.claim { font-size: 19px; line-height: 1.4; font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; }
th:first-child { text-align: left; }
thead th { font-weight: 600; border-bottom: 1px solid #888; vertical-align: bottom; }
thead tr:first-child th { border-bottom: 0; padding-bottom: 0; text-align: left; }
tbody th { font-weight: 500; white-space: normal; overflow-wrap: anywhere; }
tbody tr { border-bottom: 1px solid #ececec; }
.starts { border-left: 1px solid #ddd; padding-left: 14px; }
tr.mean th, tr.mean td { font-weight: 700; border-top: 1px solid #888; }
tr.ensemble { background: #f7f7f7; }
tr.baseline { color: #555; }
img { display: block; width: 100%; height: auto; margin: 0 0 16px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 12px 0; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin: 14px 0; }
summary { cursor: pointer; font-weight: 600; }
pre { background: #f7f7f7; padding: 12px 14px; overflow-x: auto; font-size: 13px; }
.verdict { margin: 20px 0 0; padding: 16px 20px; background: #eff7f1;
 border-left: 5px solid #00734f; font-size: 19px; font-weight: 600; }
.verdict.bad { background: #fbf0ef; border-color: #b3261e; }
.verdict.warning { background: #fdf6e7; border-color: #b26a00; }
.verdict.plain { background: #f2f7fb; border-color: #0072b2; }
.caution { margin: 12px 0 0; padding: 10px 20px; background: #fdf6e7;
 border-left: 5px solid #b26a00; }
.words th, .words td, .words thead tr:first-child th { text-align: left; white-space: normal;
 vertical-align: top; overflow-wrap: anywhere; padding: 5px 10px; }
.words thead tr:first-child th { border-bottom: 1px solid #888; }
.words td.number, .words thead tr:first-child th.number { text-align: right; white-space: nowrap; }
.words .rule { white-space: nowrap; }
.verdict + .wide, .caution + .wide { margin-top: 14px; }
.words .mark { white-space: nowrap; font-weight: 600; color: #00734f; }
.words .failed .mark, .words .critical .mark { color: #b3261e; }
.words .warning .mark { color: #8f5500; }
.words .quiet .mark { color: #555; }
.bar { display: inline-block; height: 9px; margin-right: 8px; background: #6f9bc4; }
code { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
.days { font-size: 13.5px; }
.days tbody th { white-space: nowrap; }
.days th, .days td { padding: 4px 7px; vertical-align: top; }
tr.section th { text-align: left; padding-top: 14px; font-weight: 700; }
tr.printed { color: #555; background: #f7f7f7; }
.pairs, .said { font-size: 14px; }
.pairs thead tr:first-child th { text-align: right; white-space: normal;
 border-bottom: 1px solid #888; padding: 5px 10px; }
.pairs tbody th { white-space: nowrap; }
.pairs td { vertical-align: top; line-height: 1.35; }
.pairs td .quiet { font-size: 12px; }
.said th, .said td, .said thead tr:first-child th { text-align: left; white-space: normal;
 vertical-align: top; padding: 5px 10px; overflow-wrap: normal; }
.said thead tr:first-child th { border-bottom: 1px solid #888; }
.said .quiet { white-space: nowrap; }
td.good { color: #00734f; font-weight: 600; }
td.bad { color: #b3261e; font-weight: 600; }
td.good .quiet, td.bad .quiet { font-weight: 400; }
.claims { grid-template-columns: minmax(200px, 2fr) 5fr; }
tr.chosen { font-weight: 600; background: #eff7f1; }
</style>
</head>
<body>
<h1>$title</h1>
<div class="quiet">$subtitle</div>
$body
</body>
</html>
""")


def whole_page(title: str, subtitle: str, body: str) -> str:
    """A complete page; title and subtitle are plain text, the body is HTML."""
    return _SHELL.substitute(title=escape(title), subtitle=escape(subtitle), body=body)
