"""The report as one HTML file that opens without a network."""

import json
from html import escape

from mutualctr.evaluation.gate_html import render_verdicts
from mutualctr.evaluation.page import REPORT
from mutualctr.evaluation.scored import ARMS
from mutualctr.evaluation.table import Row, table_rows
from mutualctr.evaluation.wording import EXPLAINED, beginnings, count, headline, number
from mutualctr.page import whole_page


def render_html(report: dict) -> str:
    """Finding first, then tables, figures, and what is needed to run it again.

    Every text from outside is escaped; figures are images in the file, so no script can run.
    """
    from mutualctr.evaluation.curves import learning_figure
    from mutualctr.evaluation.figures import (
        agreement_figure,
        auc_figure,
        calibration_figure,
        svg_image,
    )

    found = headline(report)
    body = REPORT.substitute(
        claim=escape(found.claim),
        verdict=escape(found.verdict),
        ensemble=escape(found.ensemble),
        basis=escape(found.basis),
        gate=_gate(report),
        scores="\n".join(_score_row(row) for row in table_rows(report)),
        baseline=escape(report["baseline"]["method"]),
        explained="\n".join(
            f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>"
            for term, meaning in EXPLAINED.items()
        ),
        auc=svg_image(
            auc_figure(report), "AUC of each peer after each arm, and the gains of mutual"
        ),
        learning=svg_image(learning_figure(report), "Dev AUC and logloss by epoch"),
        calibration=svg_image(
            calibration_figure(report), "Reliability of each peer after each arm"
        ),
        calibration_rows="\n".join(_calibration_rows(report)),
        agreement=svg_image(agreement_figure(report), "How alike the peers are after each arm"),
        dataset=_definitions(report["dataset"]),
        config=escape(json.dumps(report["config"], indent=2, ensure_ascii=False)),
        versions=_definitions(report["versions"]),
    )
    return whole_page(f"Mutual finetuning on {report['dataset']['name']}", _subtitle(report), body)


def _gate(report: dict) -> str:
    """Nothing while a run has not come to its gate."""
    if "promotion" not in report:
        return ""
    return f"\n<h2>Promotion gate</h2>\n{render_verdicts(report['promotion'])}\n"


def _subtitle(report: dict) -> str:
    rows = report["rows"]
    parts = [f"{count(rows[part])} {part}" for part in ("train", "dev", "test")]
    architectures = sorted({peer["architecture"] for peer in report["peers"]})
    groups = len(report["ensembles"]["mutual"])
    peers = f"{len(report['peers'])} peers ({', '.join(architectures)})"
    return (
        f"{peers} in {groups} seed {'group' if groups == 1 else 'groups'} · "
        f"{' / '.join(parts)} rows · began {beginnings(report)}"
    )


def _score_row(row: Row) -> str:
    numbers = [*row.auc, *row.logloss, row.vs_pretrained, row.vs_control]
    starts = (0, 3, 6)  # where a group of columns begins
    cells = (
        f"<td{' class=starts' if place in starts else ''}>{escape(cell)}</td>"
        for place, cell in enumerate(numbers)
    )
    return f"<tr class={row.kind}><th scope=row>{escape(row.name)}</th>{''.join(cells)}</tr>"


def _calibration_rows(report: dict) -> list[str]:
    rows = []
    for trio in zip(*(report["arms"][arm] for arm in ARMS), strict=True):
        cells = [number(entry["pcoc"], 3) for entry in trio]
        cells += [number(entry["ece"], 4) for entry in trio]
        marked = (
            f"<td{' class=starts' if place in (0, 3) else ''}>{cell}</td>"
            for place, cell in enumerate(cells)
        )
        rows.append(f"<tr><th scope=row>{escape(trio[0]['peer'])}</th>{''.join(marked)}</tr>")
    return rows


def _definitions(values: dict) -> str:
    return "\n".join(
        f"<dt>{escape(key)}</dt><dd>{escape(_text(value))}</dd>" for key, value in values.items()
    )


def _text(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
