"""The gate: what is to serve against what serves, on the same rows, and the aliases after it.

Everything a person reads (tags, card, pages) is in place before an alias moves, and aliases move
last. Whatever is killed on the way is completed by doing the same again.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from mutualctr.data.event_files import read_files_record
from mutualctr.data.raw_rows import write_raw_rows
from mutualctr.data.split import TEST, read_parts
from mutualctr.errors import RegistryError
from mutualctr.evaluation import wording
from mutualctr.evaluation.drift import ScoreBins
from mutualctr.evaluation.report import plain, write_report
from mutualctr.evaluation.wording import number, signed
from mutualctr.files import replacing
from mutualctr.reference import Promotion
from mutualctr.registry import aliases, card, gate
from mutualctr.registry.fresh import answer
from mutualctr.registry.promotion_html import render_html
from mutualctr.registry.served import Finished, Served, make_served
from mutualctr.registry.tracking import Tracker
from mutualctr.registry.trained_on import BINS_TAG

ATTEMPTS = 5
"""How often the champion may change under our hands before we give up."""


def promote_run(tracker: Tracker, finished: Finished, folder: Path) -> Promotion:
    """Choose among the mutual peers, judge the chosen one, let it serve if it keeps every rule.

    Writes promotion.json, promotion.html and the report with the verdicts into `folder`, and to the
    parent run in MLflow.
    Raises RegistryError where other runs keep replacing the champion meanwhile.
    """
    client = tracker.client
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        served = make_served(tracker, finished, scratch)
        aliases.challenge(client, served.version)
        judge = _Judge(client, finished, served, scratch)
        for _ in range(ATTEMPTS):
            champion = aliases.at_alias(client, served.version.name, aliases.CHAMPION)
            described = plain(_described(finished, served, champion, judge.against(champion)))
            _publish(tracker, finished, served, described, folder)
            if described["decision"] == "kept" or aliases.promote(
                client, served.version, champion, f"by the gate of {finished.pipeline_run}"
            ):
                return Promotion.of(
                    folder, decision=described["decision"], sentence=described["sentence"]
                )
    raise RegistryError(
        f"The champion of {served.version.name} changed {ATTEMPTS} times while "
        f"{served.version.name}/{served.version.version} was judged; let the other runs end, "
        "then run again."
    )


class _Judge:
    """The challenger's evidence, taken once, against whoever is champion."""

    def __init__(self, client: MlflowClient, finished: Finished, served: Served, scratch: Path):
        self._client, self._served = client, served
        self._config, self._label_B = finished.config.promotion, finished.test.label_R
        self._rows = scratch / "rows.parquet"
        label_B = write_raw_rows(
            finished.events.files,
            finished.contract,
            self._rows,
            read_parts(finished.split.folder),
            TEST,
        )
        assert (label_B == self._label_B).all(), "the raw test rows are not the encoded ones"
        first = scratch / "first.parquet"
        with pq.ParquetFile(self._rows) as file:
            batch = next(file.iter_batches(self._config.smoke.rows))
        with pq.ParquetWriter(first, batch.schema) as writer:
            writer.write_batch(batch)
        calls, call_rows = self._config.latency.calls, self._config.latency.rows
        self._smoke = answer(client, served.version, first, calls=calls, call_rows=call_rows)

    def against(self, champion: ModelVersion | None) -> list[gate.Verdict]:
        """All verdicts. The champion reads the raw rows through its own feature map and code."""
        version, probability_B = self._served.version, self._served.probability_B
        alone = gate.Evidence(self._label_B, probability_B, None, self._smoke)
        verdicts = gate.absolute(alone, self._config)
        if champion is None or aliases.number(champion) == aliases.number(version):
            return verdicts
        # Tags are read anew: somebody may have rolled it back since it was registered.
        tags = self._client.get_model_version(version.name, version.version).tags
        verdicts.append(gate.not_rolled_back(tags.get(aliases.ROLLED_BACK_TAG)))
        try:
            theirs = answer(self._client, champion, self._rows, bulk=True)
        except RegistryError as error:
            return [*verdicts, gate.incomparable(str(error))]
        both = gate.Evidence(self._label_B, probability_B, theirs.probability_B, self._smoke)
        return [*verdicts, *gate.relative(both, self._config)]


def _described(
    finished: Finished,
    served: Served,
    champion: ModelVersion | None,
    verdicts: Sequence[gate.Verdict],
) -> dict[str, Any]:
    """The content of promotion.json."""
    config = finished.config.promotion
    rows, days = len(finished.test.label_R), _days(finished)
    decision, sentence = _decision(served.version, champion, verdicts)
    sentence = f"On {rows:,} test rows{wording.of_days(days)}, {sentence}"
    return {
        "decision": decision,
        "sentence": sentence,
        "pipeline_run": finished.pipeline_run,
        "model": served.version.name,
        "version": aliases.number(served.version),
        "champion": aliases.number(champion),
        "cautions": _cautions(finished, served.version, champion),
        "rows": rows,
        "clicks": int(finished.test.label_R.sum()),
        "days": days,
        "verdicts": [verdict.model_dump() for verdict in verdicts],
        "choose": config.choose,
        "tolerance": config.tolerance,
        "candidates": [candidate.model_dump() for candidate in served.candidates],
        "chosen": served.candidate.model_dump()
        | {
            "embeddings": config.embeddings,
            "served_bytes": served.weights_bytes,
            "auc": served.auc,
            "auc_cost": served.full_auc - served.auc,
        },
    }


def _days(finished: Finished) -> list[str]:
    """The days of the test rows, of source files that have one in their name."""
    test_R = read_parts(finished.split.folder) == TEST
    files = read_files_record(finished.events.files)
    of_file = np.split(test_R, np.cumsum([file["rows"] for file in files])[:-1])
    days = zip((file["day"] for file in files), of_file, strict=True)
    return sorted({day for day, test_B in days if day is not None and test_B.any()})


def _decision(
    version: ModelVersion, champion: ModelVersion | None, verdicts: Sequence[gate.Verdict]
) -> tuple[str, str]:
    """`promoted`, `kept` (the champion, if there is one) or `unchanged`, and why."""
    mine = f"{version.name}/{version.version}"
    failed = ", ".join(verdict.rule for verdict in verdicts if not verdict.passed)
    if champion is not None and aliases.number(champion) == aliases.number(version):
        still = f", although it fails {failed} today" if failed else ""
        return "unchanged", f"{mine} is the champion already{still}."
    theirs = None if champion is None else f"{champion.name}/{champion.version}"
    if any(verdict.rule == "rows" and not verdict.passed for verdict in verdicts):
        return "kept", f"{mine} could not be judged: too few rows; {theirs} stays champion."
    if failed:
        stays = f"{theirs} stays champion" if theirs else "there is still no champion"
        return "kept", f"{mine} failed {failed}; {stays}."
    becomes = f"replaces {theirs}" if theirs else "is the first champion"
    return "promoted", f"{mine} kept all {len(verdicts)} rules and {becomes}."


def _cautions(
    finished: Finished, version: ModelVersion, champion: ModelVersion | None
) -> list[str]:
    """What the numbers do not say by themselves."""
    if champion is None or aliases.number(champion) == aliases.number(version):
        return []
    origin = finished.origin
    same_data = champion.tags.get("data_sha256") == origin["data_sha256"]
    if same_data and champion.tags.get("split") != origin["split"]:
        return [
            "The champion was trained on the same source under another split, so it has seen some "
            "of these test rows: the comparison favours it."
        ]
    return []


def _publish(
    tracker: Tracker, finished: Finished, served: Served, described: dict[str, Any], folder: Path
) -> None:
    """Files, tags and card. The report with the verdicts takes the place of the one without."""
    text = {
        "promotion.json": json.dumps(described, indent=1, ensure_ascii=False) + "\n",
        "promotion.html": render_html(described),
    }
    for name, content in text.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    write_report(finished.numbers | {"promotion": described}, folder)
    for path in sorted(folder.iterdir()):
        tracker.client.log_artifact(tracker.parent_run_id, str(path))
    tracker.set_tags(tracker.parent_run_id, {"promotion": described["sentence"]})
    client, version = tracker.client, served.version
    bins = ScoreBins.of(served.probability_B).model_dump_json()
    tags = {"gate": described["decision"], BINS_TAG: bins} | {
        f"gate.{v['rule']}": f"{_word(v)}: {v['found']}; asked: {v['asks']}"
        for v in described["verdicts"]
    }
    for name, value in tags.items():
        client.set_model_version_tag(version.name, version.version, name, value)
    links = card.links(tracker, served.run_id) | {
        "gate": card.run_link(tracker, tracker.parent_run_id, "promotion.html")
    }
    peer = served.candidate.peer
    text = card.version_card(
        finished.numbers, finished.validation, peer, "mutual", links, _facts(described)
    )
    client.update_model_version(version.name, version.version, text)


def _facts(described: dict[str, Any]) -> list[tuple[str, str]]:
    """What the card says first."""
    chosen = described["chosen"]
    return [
        ("gate", described["sentence"]),
        *((f"rule {v['rule']}", f"{_word(v)}: {v['found']}") for v in described["verdicts"]),
        (
            "served table",
            f"{chosen['embeddings']}, {chosen['served_bytes'] / 1e6:.1f} MB of weights, "
            f"cost in AUC {signed(chosen['auc_cost'], 6)}",
        ),
        ("dev AUC, by which it was chosen", number(chosen["dev_auc"], 5)),
        *(("caution", caution) for caution in described["cautions"]),
    ]


def _word(verdict: dict[str, Any]) -> str:
    return "kept" if verdict["passed"] else "FAILED"
