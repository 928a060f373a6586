"""Model cards: what a person reads on a model's page in MLflow, as Markdown."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mutualctr.evaluation.markdown import escape
from mutualctr.evaluation.scored import ARMS
from mutualctr.evaluation.wording import count, number
from mutualctr.reference import Validation
from mutualctr.registry.tracking import Tracker

LIMITS = (
    "A probability of a click on data like the training data: another site, country or season "
    "moves it. The page of a run shows calibration.",
    "Tokens that training saw fewer times than `min_count`, or never, share one embedding.",
    "The figures are of one split of one data set; the report has their intervals.",
)


def served_model(name: str) -> str:
    """The card of the model whose `champion` serves."""
    return (
        f"The click model that serves. Its versions are mutually finetuned peers that were chosen "
        f"to serve; each carries weights, feature map and code, and scores raw rows.\n\n"
        f"- `models:/{name}@champion` serves, `@previous` served before it, `@challenger` was last "
        f"refused by the gate\n"
        f"- `mutualctr models list`, `mutualctr models show {name}`, `mutualctr models rollback "
        f"{name}`\n"
        f"- `mlflow models serve -m models:/{name}@champion --env-manager local` answers over "
        f"HTTP, `zenml pipeline run dml_score` scores files\n"
    )


def peers_model(architecture: str, prefix: str) -> str:
    """The card of all checkpoints of one architecture."""
    return (
        f"Every {architecture} of every run: after pretraining alone (`phase` pretrained), after "
        f"one more epoch alone (control), after one mutual epoch (mutual). What serves is chosen "
        f"among the mutual ones and is a version of [{prefix}](#/models/{prefix}).\n"
    )


def version_card(
    report: Mapping[str, Any],
    validation: Validation,
    peer: str,
    arm: str,
    links: Mapping[str, str],
    facts: Sequence[tuple[str, str]] = (),
) -> str:
    """One checkpoint: its data, cohort, figures, contract, limits, and where to read more.

    `facts` come first: what else is known of this version, such as the gate's verdicts.
    """
    dataset, rows, config = report["dataset"], report["rows"], report["config"]
    entry = next(e for e in report["arms"][arm] if e["peer"] == peer)
    warned = f", {validation.warnings} with a warning" if validation.warnings else ""
    seeds = ", ".join(f"{p['name']} {p['seed']}" for p in report["peers"])
    lines = [
        f"{entry['architecture']}, peer {peer} after the {arm} arm",
        "",
        *(f"- {name}: {escape(value)}" for name, value in facts),
        f"- data: contract {escape(dataset['name'])}, source {escape(dataset['source'])}, "
        f"SHA-256 `{dataset['sha256'][:16]}`",
        f"- rows: {' / '.join(count(rows[part]) for part in ('train', 'dev', 'test'))} "
        f"train / dev / test, split {dataset['split']}",
        f"- contract: {validation.expectations} expectations held on all rows{warned}",
        f"- cohort with seeds: {escape(seeds)}",
        f"- start: {escape(next(p['start'] for p in report['peers'] if p['name'] == peer))}",
        f"- finetuning: `{json.dumps(config['finetuning'])}`",
        "",
        "| test rows | AUC | logloss | PCOC | ECE |",
        "|---|---:|---:|---:|---:|",
    ]
    for other in ARMS:
        e = next(e for e in report["arms"][other] if e["peer"] == peer)
        figures = (number(e[k], d) for k, d in (("auc", 5), ("logloss", 5), ("pcoc", 3)))
        mark = "**" if other == arm else ""
        lines.append(f"| {mark}{other}{mark} | {' | '.join(figures)} | {number(e['ece'], 4)} |")
    lines += ["", "**Limits**", "", *(f"- {limit}" for limit in LIMITS), ""]
    lines += [" · ".join(f"[{name}]({target})" for name, target in links.items())]
    return "\n".join(lines) + "\n"


def links(tracker: Tracker, run_id: str) -> dict[str, str]:
    """Where MLflow shows how a checkpoint of the current pipeline run came to be."""
    parent = tracker.parent_run_id
    return {
        "training run": run_link(tracker, run_id),
        "pipeline run": run_link(tracker, parent),
        "report": run_link(tracker, parent, "report.html"),
    }


def run_link(tracker: Tracker, run_id: str, artifact: str | None = None) -> str:
    """The page of a run, or of one of its files, relative to the server that shows the card."""
    experiment_id = tracker.client.get_run(run_id).info.experiment_id
    tail = f"/artifacts/{artifact}" if artifact else ""
    return f"#/experiments/{experiment_id}/runs/{run_id}{tail}"
