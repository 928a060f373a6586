"""The study as one HTML file that opens without a network, as Markdown, and as what repeats it."""

import json
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

import yaml
from matplotlib.figure import Figure

from mutualctr.closed import parse
from mutualctr.cohort import GROUP_SEED_STRIDE
from mutualctr.errors import DataError
from mutualctr.evaluation.figures import svg_image
from mutualctr.evaluation.markdown import escape as escape_markdown
from mutualctr.files import replacing
from mutualctr.page import whole_page
from mutualctr.study.answers import answers, basis, headline, verdicts
from mutualctr.study.config import StudyConfig
from mutualctr.study.figures import (
    arms_figure,
    claims_figure,
    epochs_figure,
    peers_figure,
    weight_figure,
)
from mutualctr.study.paper_tables import table_1, table_2, tables_3_and_4
from mutualctr.study.table import Cell, Row, Table
from mutualctr.study.tables import (
    claims_table,
    epochs_table,
    gains_table,
    hypotheses_table,
    peers_table,
    quality_table,
    weights_table,
)

COMMAND = "zenml pipeline run dml_study -c study.yaml"
FILES = ("study.json", "study.html", "study.md", "study.yaml")


SECTIONS: tuple[tuple[Callable, Callable | None, str], ...] = (
    (claims_table, claims_figure, "Mutual, the extra epoch alone, and the paper's gains"),
    (hypotheses_table, None, ""),
    (table_1, None, ""),
    (table_2, None, ""),
    (tables_3_and_4, peers_figure, "Gain against the number of peers"),
    (epochs_table, epochs_figure, "Gain against finetune epochs"),
    (weights_table, weight_figure, "Gain against the weight of the pull"),
    (gains_table, arms_figure, "Gain of every arm; dotted: the ensemble of the pretrained"),
    (quality_table, None, ""),
)
"""Table, its figure and what the figure shows, in the order of the page."""


def tables(study: dict) -> list[Table]:
    """All tables of a study that it has the cohorts for."""
    return [table for make, _, _ in SECTIONS if (table := make(study)).rows]


def render_html(study: dict) -> str:
    """Answers, figures, tables, and what is needed to run it again. All text is escaped."""
    told = "".join(
        f"<dt>{escape(claim)}</dt><dd>{escape(answer)}</dd>" for claim, answer in answers(study)
    )
    body = [
        f'<div class="finding"><p class="claim">{escape(headline(study))}</p>',
        f"<p>{escape(verdicts(study))}</p><dl class=claims>{told}</dl>"
        f'<p class="quiet">{escape(basis(study))}</p></div>',
        *_sections(study),
        "<h2>How this was run</h2>",
        f"<dl>{''.join(_definition(*pair) for pair in _how(study).items())}</dl>",
        f"<details><summary>Every peer</summary>{_html_table(peers_table(study))}</details>",
        "<details><summary>Configuration (study.yaml)</summary>"
        f"<pre>{escape(_config(study))}</pre></details>",
        "<details><summary>Data and versions</summary>"
        f"<pre>{escape(json.dumps({'data': study['dataset'], **study['versions']}, indent=2))}"
        "</pre></details>",
    ]
    title = f"Mutual finetuning studied on {study['dataset']['name']}"
    return whole_page(title, _subtitle(study), "\n".join(body))


def render_markdown(study: dict) -> str:
    """The same answers and tables for a repository or a chat; every table says how it was made."""
    told = [f"- **{escape_markdown(c)}**: {escape_markdown(a)}" for c, a in answers(study)]
    blocks = [
        f"# Mutual finetuning studied on {escape_markdown(study['dataset']['name'])}",
        escape_markdown(_subtitle(study)),
        f"**{escape_markdown(headline(study))}** {escape_markdown(verdicts(study))}",
        "\n".join(told),
        escape_markdown(basis(study)),
    ]
    for table in tables(study):
        lines = [table.head, ["---"] + ["---" if table.words else "---:"] * (len(table.head) - 1)]
        grid = [f"| {' | '.join(line)} |" for line in lines]
        grid += [_markdown_row(row) for row in table.rows]
        blocks += [f"## {table.title}", escape_markdown(table.note), "\n".join(grid)]
        blocks += [f"`{COMMAND}` · {escape_markdown(_run_on(study))}"]
    blocks.append(
        "Figures and every peer's AUC in every group are in study.html, all numbers in study.json."
    )
    return "\n\n".join(blocks) + "\n"


def write_study(study: dict, folder: Path) -> None:
    """Write the FILES; each appears whole or not at all."""
    head = f"# Repeats the study of which this is a part; finished cells are kept.\n#   {COMMAND}\n"
    text = {
        "json": json.dumps(study, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "html": render_html(study),
        "md": render_markdown(study),
        "yaml": head + _config(study),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, content in text.items():
        with replacing(folder / f"study.{suffix}") as unfinished:
            unfinished.write_text(content, encoding="utf-8")


def read_study(path: Path) -> dict:
    """A record that `write_study` wrote, of this version or an earlier one.

    Raises DataError where there is none, ConfigError where its configuration is no study's.
    """
    try:
        study = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{path}: there is no such file; name the folder of a finished study, as in "
            "outputs/latest-study."
        ) from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON ({error}); name a study's own study.json.") from None
    if not isinstance(study, dict) or not {"rows", "config", "groups"} <= study.keys():
        raise DataError(f"{path}: not the record of a study; name a study's own study.json.")
    parse(StudyConfig, study["config"], str(path))
    return study


def _config(study: dict) -> str:
    content = {"run_name": "study-{date}-{time}", "parameters": study["config"]}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _subtitle(study: dict) -> str:
    rows = study["dataset"]["rows"]
    parts = " / ".join(f"{rows[part]:,} {part}" for part in ("train", "dev", "test"))
    return (
        f"{len(study['cohorts'])} cohorts, {len(study['arms'])} arms, {study['groups']} seed "
        f"groups; {parts} rows"
    )


def _how(study: dict) -> dict[str, str]:
    """Command, machine, time: what belongs beside every number of the page."""
    return {
        "Every number": f"{COMMAND}, with the file that lies beside this page. Finished cells are "
        "not trained again.",
        "Draw it again": "mutualctr study FOLDER, with the folder of study.json; trains nothing.",
        "Run on": _run_on(study),
        "Unit": f"{study['groups']} seed groups; group g adds {GROUP_SEED_STRIDE}·g to every seed.",
    }


def _run_on(study: dict) -> str:
    """Groups, machine and time as they are known; a record of schema 1 lacks the last two."""
    versions = study["versions"]
    parts = [f"{study['groups']} seed groups", versions.get("hardware")]
    if "trained" in study:
        trained = study["trained"]
        parts.append(f"{trained['cells']} cells, {trained['seconds'] / 3600:.2f} hours of training")
    if "torch" in versions:
        parts.append(f"torch {versions['torch']}")
    if versions.get("git_commit"):
        parts.append(f"commit {versions['git_commit'][:10]}")
    return " · ".join(part for part in parts if part)


def _sections(study: dict) -> Iterator[str]:
    """Every table that has rows, under its heading and behind its figure."""
    for make, draw, alternative in SECTIONS:
        table = make(study)
        if table.rows:
            image = _image(draw(study), alternative) if draw else ""
            made = f"<code>{COMMAND}</code> · {escape(_run_on(study))}"
            yield f"<h2>{escape(table.title)}</h2>\n{image}{_html_table(table)}"
            yield f'<p class="quiet">{made}</p>'


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    body, section = [], ""
    for row in table.rows:
        if row.section != section:
            section = row.section
            body.append(
                f'<tr class="section"><th colspan="{len(table.head)}">{escape(section)}</th></tr>'
            )
        look = " class=printed" if row.printed else ""
        cells = "".join(map(_html_cell, row.cells))
        body.append(f"<tr{look}><th scope=row>{escape(row.name)}</th>{cells}</tr>")
    lines = "\n".join(body)
    return (
        f"<p class=quiet>{escape(table.note)}</p>\n"
        f'<div class=wide><table class="{"said" if table.words else "pairs"}">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table></div>"
    )


def _html_cell(cell: Cell) -> str:
    look = f' class="{cell.look}"' if cell.look else ""
    spread = f"<br><span class=quiet>{escape(cell.spread)}</span>" if cell.spread else ""
    return f"<td{look}>{escape(cell.value)}{spread}</td>"


def _markdown_row(row: Row) -> str:
    name = f"{row.section}: {row.name}" if row.section else row.name
    cells = [f"{c.value} ({c.spread})" if c.spread else c.value for c in row.cells]
    return f"| {' | '.join(escape_markdown(cell) for cell in (name, *cells))} |"


def _definition(term: str, meaning: str) -> str:
    return f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>"


def _image(figure: Figure | None, alternative: str) -> str:
    if figure is None:
        return ""
    caption = f"<p class=quiet>{escape(alternative)}.</p>"
    return svg_image(figure, alternative) + caption
