"""The gate's verdicts as one HTML file that needs nothing from outside."""

from html import escape
from string import Template
from typing import Any

from mutualctr.evaluation.wording import count, number, signed

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
.verdict.kept { background: #fbf0ef; border-color: #b3261e; }
.verdict.unchanged { background: #f2f7fb; border-color: #0072b2; }
.caution { margin: 12px 0 0; padding: 10px 20px; background: #fdf6e7;
 border-left: 5px solid #b26a00; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; border-bottom: 1px solid #888; padding: 5px 10px; vertical-align: bottom; }
td { padding: 6px 10px; border-bottom: 1px solid #ececec; vertical-align: top;
 overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; }
.mark { white-space: nowrap; font-weight: 600; color: #00734f; }
.failed .mark { color: #b3261e; }
.chosen { font-weight: 600; background: #eff7f1; }
</style>
</head>
<body>
<h1>$title</h1>
<div class="quiet">$subtitle</div>
<p class="verdict $decision">$sentence</p>
$cautions
<h2>Rules</h2>
<div class="wide"><table>
<thead><tr><th></th><th>Rule</th><th>Asked</th><th>Found</th></tr></thead>
<tbody>
$rules
</tbody></table></div>
<p class="quiet">$basis</p>
<h2>Which peer</h2>
<p>$choice</p>
<div class="wide"><table>
<thead><tr><th>Mutual peer</th><th class="number">dev AUC</th>
<th class="number">µs a row</th><th class="number">weights, MB</th></tr></thead>
<tbody>
$candidates
</tbody></table></div>
<p class="quiet">µs a row: the network alone on encoded rows in batches of 1000, median; the peers
were timed in turns. Test rows had no say in the choice.</p>
</body>
</html>
""")


def render_html(described: dict[str, Any]) -> str:
    """The decision first, then every rule with its numbers, then how the peer was chosen."""
    name = f"{described['model']}/{described['version']}"
    against = described["champion"]
    return _PAGE.substitute(
        title=escape(f"Promotion gate: {name}"),
        subtitle=escape(
            f"{described['pipeline_run']} · {count(described['rows'])} test rows · "
            + (f"champion {described['model']}/{against}" if against else "no champion yet")
        ),
        decision=described["decision"],
        sentence=escape(described["sentence"]),
        cautions="\n".join(f'<p class="caution">{escape(c)}</p>' for c in described["cautions"]),
        rules="\n".join(_rule(verdict) for verdict in described["verdicts"]),
        basis="Challenger and champion scored the same raw test rows of this run, each through its "
        "own feature map; the interval is DeLong's paired one."
        if against
        else "Without a champion only the rules about the model itself apply.",
        choice=escape(_choice(described)),
        candidates="\n".join(
            _candidate(candidate, candidate["peer"] == described["chosen"]["peer"])
            for candidate in described["candidates"]
        ),
    )


def _rule(verdict: dict[str, Any]) -> str:
    kept = verdict["passed"]
    return (
        f'<tr class="{"held" if kept else "failed"}"><td class="mark">'
        f"{'✓ kept' if kept else '✗ failed'}</td><td>{escape(verdict['rule'])}</td>"
        f"<td>{escape(verdict['asks'])}</td><td>{escape(verdict['found'])}</td></tr>"
    )


def _choice(described: dict[str, Any]) -> str:
    chosen = described["chosen"]
    how = (
        "has the best dev AUC"
        if described["choose"] == "best"
        else f"is the fastest within {described['tolerance']:g} of the best dev AUC"
    )
    return (
        f"{chosen['peer']} {how}. Its table is served as {chosen['embeddings']}: "
        f"{chosen['served_bytes'] / 1e6:.2f} MB instead of {chosen['weights_bytes'] / 1e6:.2f} MB, "
        f"at a cost of {signed(chosen['auc_cost'], 6)} test AUC."
    )


def _candidate(candidate: dict[str, Any], chosen: bool) -> str:
    cells = (
        number(candidate["dev_auc"], 5),
        number(candidate["model_us_per_row"], 2),
        number(candidate["weights_bytes"] / 1e6, 2),
    )
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    row = ' class="chosen"' if chosen else ""
    return f"<tr{row}><td>{escape(candidate['peer'])}</td>{numbers}</tr>"
