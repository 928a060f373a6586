"""The report as Markdown, for a pull request or a chat."""

import json
import re

from mutualctr.evaluation.scored import ARMS
from mutualctr.evaluation.table import table_rows
from mutualctr.evaluation.wording import EXPLAINED, beginnings, count, headline, number


def render_markdown(report: dict) -> str:
    """Headline, tables, explanations, versions. Text from outside cannot break the layout."""
    found = headline(report)
    rows = report["rows"]
    split = ", ".join(f"{count(rows[part])} {part}" for part in ("train", "dev", "test"))
    blocks = [
        f"# Mutual finetuning on {escape(report['dataset']['name'])}",
        f"**{found.claim}**",
        f"{found.verdict} {found.ensemble}",
        found.basis,
        f"Rows: {split}. Start: {escape(beginnings(report))}. "
        f"Baseline: {escape(report['baseline']['method'])}",
        _scores(report),
        *_gate(report),
        "## Calibration: pretrained → control → mutual",
        _calibration(report),
        "## How to read it",
        "\n".join(f"- **{term}**: {meaning}" for term, meaning in EXPLAINED.items()),
        "## Versions",
        _grid(["what", "version"], [[k, _text(v)] for k, v in report["versions"].items()]),
    ]
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """The text on one line, with every character that Markdown or HTML would read disarmed."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!$])", r"\\\1", " ".join(text.split()))


def _scores(report: dict) -> str:
    head = ["peer", *(f"AUC {arm}" for arm in ARMS), *(f"logloss {arm}" for arm in ARMS)]
    head += ["RelaImp vs pretrained", "RelaImp vs control"]
    return _grid(
        head,
        [
            [row.name, *row.auc, *row.logloss, row.vs_pretrained, row.vs_control]
            for row in table_rows(report)
        ],
    )


def _gate(report: dict) -> list[str]:
    """Nothing while a run has not come to its gate."""
    if "promotion" not in report:
        return []
    promotion = report["promotion"]
    rows = [
        ["kept" if v["passed"] else "FAILED", v["rule"], v["asks"], v["found"]]
        for v in promotion["verdicts"]
    ]
    return [
        "## Promotion gate",
        f"**{escape(promotion['sentence'])}**",
        *(escape(sentence) for sentence in promotion["cautions"]),
        _grid(["", "rule", "asked", "found"], rows),
    ]


def _calibration(report: dict) -> str:
    return _grid(
        ["peer", "PCOC", "ECE"],
        [
            [
                trio[0]["peer"],
                " → ".join(number(entry["pcoc"], 3) for entry in trio),
                " → ".join(number(entry["ece"], 4) for entry in trio),
            ]
            for trio in zip(*(report["arms"][arm] for arm in ARMS), strict=True)
        ],
    )


def _grid(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *([escape(c) for c in r] for r in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
