"""The page that an HTML report is filled into. Dark text on white, nothing from outside."""

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
.words .failed .mark { color: #b3261e; }
.words .quiet .mark { color: #555; }
.days { font-size: 13.5px; }
.days tbody th { white-space: nowrap; }
.days th, .days td { padding: 4px 7px; vertical-align: top; }
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


REPORT = Template("""<div class="finding">
<p class="claim">$claim</p>
<p>$verdict</p>
<p>$ensemble</p>
<p class="quiet">$basis</p>
</div>

$gate
<h2>Test scores</h2>
<div class="wide">
<table>
<thead>
<tr><th></th><th class="starts" colspan="3">AUC</th><th class="starts" colspan="3">Logloss</th>
<th class="starts" colspan="2">RelaImp of mutual over</th></tr>
<tr><th>Peer</th><th class="starts">pretrained</th><th>control</th><th>mutual</th>
<th class="starts">pretrained</th><th>control</th><th>mutual</th>
<th class="starts">pretrained</th><th>control</th></tr>
</thead>
<tbody>
$scores
</tbody>
</table>
</div>
<p class="quiet">An ensemble's RelaImp over pretrained is against the mean pretrained peer of its
group. Baseline: $baseline</p>
<dl>
$explained
</dl>

<h2>Gain and its uncertainty</h2>
<p class="quiet">An interval that crosses zero shows no gain.</p>
$auc

<h2>Learning curves</h2>
<p class="quiet">One line per peer. Epochs of finetuning count from the pretrained peer.</p>
$learning

<h2>Calibration</h2>
<p class="quiet">20 bins of equal mass, one line per peer; above the black line the model promises
too few clicks, below it too many.</p>
$calibration
<div class="wide">
<table>
<thead>
<tr><th></th><th class="starts" colspan="3">PCOC (1 is right)</th>
<th class="starts" colspan="3">ECE (0 is right)</th></tr>
<tr><th>Peer</th><th class="starts">pretrained</th><th>control</th><th>mutual</th>
<th class="starts">pretrained</th><th>control</th><th>mutual</th></tr>
</thead>
<tbody>
$calibration_rows
</tbody>
</table>
</div>

<h2>Agreement of the peers</h2>
<p class="quiet">Mean over the pairs of peers, one line per group: do they predict alike, and do
they err alike? An ensemble gains only from peers that err differently.</p>
$agreement

<h2>How this was run</h2>
<details><summary>Data set</summary><dl>
$dataset
</dl></details>
<details><summary>Configuration</summary><pre>$config</pre></details>
<details><summary>Versions</summary><dl>
$versions
</dl></details>""")
