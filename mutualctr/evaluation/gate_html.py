"""The gate's verdicts, rule by rule with numbers, for every page that shows them."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from mutualctr.evaluation.wording import count, of_days

LOOK = {"promoted": "", "kept": "bad", "unchanged": "plain"}
"""Of the decision: a green, a red, a blue box."""


def render_verdicts(promotion: Mapping[str, Any]) -> str:
    """The decision, the cautions, then every rule with what it asked and found."""
    cautions = "".join(
        f'\n<p class="caution">{escape(sentence)}</p>' for sentence in promotion["cautions"]
    )
    return (
        f'<p class="verdict {LOOK[promotion["decision"]]}">{escape(promotion["sentence"])}</p>'
        f"{cautions}\n{rules_table(promotion['verdicts'])}\n"
        f'<p class="quiet">{escape(_basis(promotion))}</p>'
    )


def rules_table(verdicts: Iterable[Mapping[str, Any]]) -> str:
    """Records {rule, asks, found, passed} as a table."""
    rows = "\n".join(
        f'<tr{"" if verdict["passed"] else " class=failed"}><td class="mark">'
        f"{'✓ kept' if verdict['passed'] else '✗ failed'}</td>"
        f'<td class="rule">{escape(verdict["rule"])}</td>'
        f"<td>{escape(verdict['asks'])}</td><td>{escape(verdict['found'])}</td></tr>"
        for verdict in verdicts
    )
    return (
        '<div class="wide"><table class="words">\n'
        "<thead><tr><th></th><th>Rule</th><th>Asked</th><th>Found</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _basis(promotion: Mapping[str, Any]) -> str:
    clicks, days = count(promotion["clicks"]), of_days(promotion["days"])
    rows = f"{count(promotion['rows'])} test rows{days}, {clicks} of them clicks. "
    if promotion["champion"] is None:
        return rows + "Without a champion only the rules about the model itself apply."
    return (
        f"{rows}Challenger and champion ({promotion['model']}/{promotion['champion']}) scored the "
        "same raw test rows of this run, each through its own feature map; the interval is "
        "DeLong's paired one."
    )
