"""The gate's verdicts as one HTML file that needs nothing from outside."""

from html import escape
from string import Template
from typing import Any

from mutualctr.evaluation.gate_html import render_verdicts
from mutualctr.evaluation.wording import number, signed
from mutualctr.page import whole_page

_BODY = Template("""$verdicts
<h2>Which peer</h2>
<p>$choice</p>
<div class="wide"><table class="words">
<thead><tr><th>Mutual peer</th><th class="number">dev AUC</th>
<th class="number">µs a row</th><th class="number">weights, MB</th></tr></thead>
<tbody>
$candidates
</tbody></table></div>
<p class="quiet">µs a row: the network alone on encoded rows in batches of 1000, median; the peers
were timed in turns. Test rows had no say in the choice.</p>""")


def render_html(described: dict[str, Any]) -> str:
    """The decision first, then every rule with its numbers, then how the peer was chosen."""
    against = described["champion"]
    body = _BODY.substitute(
        verdicts=render_verdicts(described),
        choice=escape(_choice(described)),
        candidates="\n".join(
            _candidate(candidate, candidate["peer"] == described["chosen"]["peer"])
            for candidate in described["candidates"]
        ),
    )
    return whole_page(
        f"Promotion gate: {described['model']}/{described['version']}",
        f"{described['pipeline_run']} · "
        + (f"champion {described['model']}/{against}" if against else "no champion yet"),
        body,
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
