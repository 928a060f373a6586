"""The study as one HTML file that opens without a network, and as Markdown."""

import json
from html import escape
from pathlib import Path
from string import Template

from mutualctr.evaluation.figures import svg_data_uri
from mutualctr.evaluation.markdown import escape as escape_markdown
from mutualctr.evaluation.wording import percent
from mutualctr.files import replacing
from mutualctr.study.config import ENSEMBLE, PRETRAINED
from mutualctr.study.figures import arms_figure, gains_figure
from mutualctr.study.tables import Table, tables

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
body { margin: 0 auto; max-width: 1080px; padding: 28px 24px 60px; background: #fff; color: #1c1c1c;
 font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 18px; margin: 40px 0 10px; padding-top: 14px; border-top: 1px solid #ddd; }
.quiet { color: #555; }
.finding { margin: 20px 0 0; padding: 16px 20px; background: #f2f7fb;
 border-left: 5px solid #0072b2; }
.finding p { margin: 0 0 8px; }
.finding p:last-child { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
 font-size: 13.5px; }
th, td { padding: 4px 9px; text-align: left; vertical-align: top; }
thead th { font-weight: 600; border-bottom: 1px solid #888; }
tbody th { font-weight: 500; }
tbody tr { border-bottom: 1px solid #ececec; }
img { display: block; width: 100%; height: auto; margin: 0 0 16px; }
summary { cursor: pointer; font-weight: 600; }
pre { background: #f7f7f7; padding: 12px 14px; overflow-x: auto; font-size: 13px; }
</style>
</head>
<body>
<h1>$title</h1>
<div class="quiet">$subtitle</div>
<div class="finding">$findings</div>
<h2>Every arm</h2>
<p class="quiet">RelaImp of the mean peer over the pretrained peers after one epoch, with its
interval over seed groups. Dotted: the averaged predictions of the pretrained peers.</p>
$arms
$gains
$tables
<h2>How this was run</h2>
<details><summary>Configuration</summary><pre>$config</pre></details>
<details><summary>Data and versions</summary><pre>$versions</pre></details>
</body>
</html>
""")


def findings(study: dict) -> list[str]:
    """What the study says of the paper's claim, one sentence per cohort."""
    sentences = []
    mutual = next((arm["name"] for arm in study["arms"] if arm["kind"] == "mutual"), None)
    control = next((arm["name"] for arm in study["arms"] if arm["kind"] == "control"), None)
    shares = {entry["cohort"]: entry for entry in study["shares"]}
    for row in study["rows"]:
        if row["arm"] != mutual or row["epoch"] != 1:
            continue
        parts = [f"{percent(row['vs'][PRETRAINED]['relaimp'])} over pretrained"]
        if control in row["vs"]:
            over = row["vs"][control]
            parts.append(
                f"{percent(over['relaimp'])} [{percent(over['low'])}, {percent(over['high'])}] "
                f"over {control}"
            )
        parts.append(
            f"one peer {percent(row['vs'][ENSEMBLE]['relaimp'])} over the pretrained ensemble"
        )
        share = shares.get(row["cohort"])
        if share and share["share"] is not None:
            parts.append(f"{100 * share['share']:.0f} % of the gain is the extra epoch")
        sentences.append(f"{row['cohort']}: {mutual} {', '.join(parts)}.")
    return sentences


def render_html(study: dict) -> str:
    """Findings, figures, tables, and what is needed to run it again. All text is escaped."""
    gains = gains_figure(study)
    return PAGE.substitute(
        title=f"Mutual finetuning studied on {escape(study['dataset']['name'])}",
        subtitle=escape(_subtitle(study)),
        findings="".join(f"<p>{escape(sentence)}</p>" for sentence in findings(study)),
        arms=_image(arms_figure(study), "RelaImp of every arm, by cohort"),
        gains=_image(gains, "Gain against peers, epochs and weight") if gains else "",
        tables="\n".join(_table(table) for table in tables(study)),
        config=escape(json.dumps(study["config"], indent=2, ensure_ascii=False)),
        versions=escape(json.dumps({"data": study["dataset"], **study["versions"]}, indent=2)),
    )


def render_markdown(study: dict) -> str:
    """The same findings and tables for a repository or a chat."""
    blocks = [
        f"# Mutual finetuning studied on {escape_markdown(study['dataset']['name'])}",
        escape_markdown(_subtitle(study)),
        "\n".join(f"- {escape_markdown(sentence)}" for sentence in findings(study)),
    ]
    for table in tables(study):
        lines = [table.head, ["---"] * len(table.head), *table.rows]
        grid = "\n".join(
            f"| {' | '.join(escape_markdown(c) if c != '---' else c for c in line)} |"
            for line in lines
        )
        blocks += [f"## {table.title}", escape_markdown(table.note), grid]
    return "\n\n".join(blocks) + "\n"


def write_study(study: dict, folder: Path) -> None:
    """Write study.json, study.html and study.md; each appears whole or not at all."""
    text = {
        "json": json.dumps(study, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "html": render_html(study),
        "md": render_markdown(study),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, content in text.items():
        with replacing(folder / f"study.{suffix}") as unfinished:
            unfinished.write_text(content, encoding="utf-8")


def _subtitle(study: dict) -> str:
    rows = study["dataset"]["rows"]
    parts = " / ".join(f"{rows[part]:,} {part}" for part in ("train", "dev", "test"))
    return (
        f"{len(study['cohorts'])} cohorts × {len(study['arms'])} arms in {study['groups']} seed "
        f"groups; {parts} rows"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    body = "\n".join(
        f"<tr><th scope=row>{escape(row[0])}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    return (
        f"<h2>{escape(table.title)}</h2>\n<p class=quiet>{escape(table.note)}</p>\n"
        f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
        "</div>"
    )


def _image(figure, alternative: str) -> str:
    return f'<img src="{svg_data_uri(figure)}" alt="{escape(alternative)}">'
