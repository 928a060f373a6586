"""The mutual peer that is to serve: chosen, its table rounded if asked, registered once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities.model_registry import ModelVersion

from mutualctr.cohort import cohort_name
from mutualctr.config import RunConfig
from mutualctr.data.blocks import Block, open_block
from mutualctr.data.contract import Contract
from mutualctr.evaluation.auc import auc
from mutualctr.reference import Blocks, Events, Report, Split, Validation
from mutualctr.registry import card
from mutualctr.registry.choice import Candidate, choose, measure
from mutualctr.registry.once import Artifact, version_once
from mutualctr.registry.register import content_key, log_model
from mutualctr.registry.start import Ancestor, lineage_tag
from mutualctr.registry.tracking import Tracker
from mutualctr.trained import Trained
from mutualctr.training import checkpoint
from mutualctr.training.predict import predict


@dataclass(frozen=True)
class Finished:
    """What a run has made by the time it comes to the gate."""

    pipeline_run: str
    config: RunConfig
    contract: Contract
    events: Events
    split: Split
    blocks: Blocks
    validation: Validation
    report: Report
    registered: Sequence[dict[str, Any]]
    """The records of `publish`."""
    mutual: Sequence[Trained]

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """The content of report.json."""
        return json.loads((self.report.folder / "report.json").read_text(encoding="utf-8"))

    @cached_property
    def test(self) -> Block:
        return open_block(self.blocks.folder, "test")

    @property
    def origin(self) -> dict[str, str]:
        """Tags that say which rows a version may have learned from."""
        split_rows = self.config.split_rows
        return {
            "data_sha256": self.events.source_sha256,
            "split": f"{split_rows.by} {split_rows.seed}",
        }


@dataclass(frozen=True, eq=False)
class Served:
    """The version that asks to serve, what it was chosen from and what it gives.

    Shapes: probability_B float64 of the test rows, as it is served; auc and full_auc are of them,
    the latter with the table in full precision.
    """

    version: ModelVersion
    run_id: str
    candidates: list[Candidate]
    position: int
    probability_B: np.ndarray
    auc: float
    full_auc: float
    weights_bytes: int

    @property
    def candidate(self) -> Candidate:
        return self.candidates[self.position]


def make_served(tracker: Tracker, finished: Finished, scratch: Path) -> Served:
    """Choose among the mutual peers by dev rows and cost, and register what is to serve."""
    config, mutual = finished.config.promotion, finished.mutual
    dev = open_block(finished.blocks.folder, "dev")
    candidates = measure(
        [item.peer.name for item in mutual], [item.folder for item in mutual], dev.ids_RF
    )
    position = choose(candidates, config)
    chosen = mutual[position]
    record = next(
        r for r in finished.registered if (r["peer"], r["arm"]) == (chosen.peer.name, "mutual")
    )
    folder = _rounded(chosen.folder, config.embeddings, scratch / "checkpoint")
    probability_B = predict(checkpoint.load(folder)[1], finished.test)
    served_auc = auc(finished.test.label_R, probability_B)
    tags = {
        "phase": "mutual",
        "peer": chosen.peer.name,
        "architecture": candidates[position].architecture,
        "cohort": cohort_name(finished.config),
        "group": chosen.peer.group,
        "seed": chosen.peer.spec.seed,
        "start": checkpoint.read_card(chosen.folder).began,
        "embeddings": config.embeddings,
        "auc": served_auc,
        "pipeline_run": finished.pipeline_run,
    }
    tags |= _lineage(finished)
    return Served(
        version=_register(tracker, finished, record, folder, tags | finished.origin),
        run_id=record["run_id"],
        candidates=candidates,
        position=position,
        probability_B=probability_B,
        auc=served_auc,
        full_auc=next(
            entry["auc"]
            for entry in finished.numbers["arms"]["mutual"]
            if entry["peer"] == chosen.peer.name
        ),
        weights_bytes=(folder / checkpoint.WEIGHTS).stat().st_size,
    )


def _lineage(finished: Finished) -> dict[str, str]:
    """What a later run needs in order to start from this cohort."""
    versions = {
        record["peer"]: f"{record['model']}/{record['version']}"
        for record in finished.registered
        if record["arm"] == "mutual"
    }
    cohort = [Ancestor(spec=m.peer.spec, version=versions[m.peer.name]) for m in finished.mutual]
    cards = [checkpoint.read_card(m.folder) for m in finished.mutual]
    starts = [card.start or card.unfit for card in cards]
    champion = next((start.champion for start in starts if start is not None), None)
    return lineage_tag(finished.events.fingerprint, champion, cohort)


def _rounded(folder: Path, embeddings: checkpoint.Precision, target: Path) -> Path:
    """The checkpoint as it is to be served."""
    if embeddings == "fp32":
        return folder
    checkpoint.save(target, *checkpoint.compacted(*checkpoint.load(folder), embeddings))
    return target


def _register(
    tracker: Tracker,
    finished: Finished,
    record: dict[str, Any],
    folder: Path,
    tags: dict[str, Any],
) -> ModelVersion:
    """The version of the served model; in full precision it points at the peer's own files."""
    client, name = tracker.client, finished.config.registry.prefix
    embeddings = finished.config.promotion.embeddings
    feature_folder = finished.blocks.folder / "features"

    def artifact() -> Artifact:
        if embeddings != "fp32":
            return log_model(record["run_id"], name, folder, feature_folder)
        peer = client.get_model_version(record["model"], record["version"])
        return Artifact(peer.source, peer.run_id, peer.source.removeprefix("models:/"))

    key = content_key(embeddings, folder, feature_folder)
    version = version_once(client, name, key, artifact, tags)
    client.update_registered_model(name, card.served_model(name))
    return version
