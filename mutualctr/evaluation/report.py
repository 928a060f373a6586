"""The one record of a run's numbers. Every page, table and figure is drawn from it alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath

import numpy as np

from mutualctr.evaluation.html import render_html
from mutualctr.evaluation.markdown import render_markdown
from mutualctr.evaluation.measured import Measured
from mutualctr.evaluation.scored import ARMS, Scored
from mutualctr.files import replacing

SCHEMA_VERSION = 1


def build_report(
    *,
    scored: Sequence[Scored],
    label_B: np.ndarray,
    curves: Sequence[Mapping],
    baseline: Mapping,
    dataset: Mapping,
    rows: Mapping[str, int],
    config: Mapping,
    versions: Mapping,
) -> dict:
    """Measure every peer after every arm on the test rows.

    scored: each peer once per arm; see `Measured`.
    curves: records {peer, arm, epoch, train_loss, dev_auc, dev_logloss, lr}, in any order, with
    mutual_loss where there is one; epochs of control and mutual count from the pretrained peer.
    baseline: what `hashed_logistic_regression` returns; its probabilities are left out.
    rows: how many rows train, dev and test have.
    dataset (with a name), config, versions: kept as given.

    Returns plain JSON values in full precision; AUC differences, RelaImp and level are ratios.
    Shapes: label_B 0 or 1 in the order of each probability_B.
    Raises: DataError as the measures do.
    Source: paper §3.2 (AUC, RelaImp). Our additions: control, ensembles, logloss, calibration,
    intervals, agreement.
    """
    measured = Measured(scored, label_B)
    return plain(
        {
            "schema_version": SCHEMA_VERSION,
            "dataset": dataset,
            "rows": rows,
            "peers": [asdict(peer) for peer in measured.peers],
            "arms": {arm: measured.arm(arm) for arm in ARMS},
            "ensembles": {arm: measured.ensembles(arm) for arm in ARMS},
            "delta_auc": {
                "mutual_vs_pretrained": measured.comparison("mutual", "pretrained"),
                "mutual_vs_control": measured.comparison("mutual", "control"),
            },
            "agreement": {arm: measured.agreement(arm) for arm in ARMS},
            "reliability": {arm: measured.reliability(arm) for arm in ARMS},
            "curves": sorted(
                curves, key=lambda r: (r["peer"], ARMS.index(r["arm"]), float(r["epoch"]))
            ),
            "baseline": {key: value for key, value in baseline.items() if key != "probability"},
            "config": config,
            "versions": versions,
        }
    )


def write_report(report: dict, folder: Path) -> dict[str, Path]:
    """Write report.json, report.html and report.md; returns where, by suffix.

    A report with `promotion`, the content of promotion.json, shows the gate's verdicts too.

    Each file appears whole or not at all, and the same report gives the same bytes.
    """
    text = {
        "json": json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "html": render_html(report),
        "md": render_markdown(report),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = {suffix: folder / f"report.{suffix}" for suffix in text}
    for suffix, path in paths.items():
        with replacing(path) as unfinished:
            unfinished.write_text(text[suffix], encoding="utf-8")
    return paths


def plain(value):
    """The value in JSON's own types. A float that is no number becomes null: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    assert value is None or isinstance(value, str | int | bool), f"not plain: {value!r}"
    return value
