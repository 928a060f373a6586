"""The one record of a study's numbers; page, Markdown and figures are drawn from it alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mutualctr.data.blocks import open_block
from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.report import plain
from mutualctr.study.cells import Cell, find
from mutualctr.study.config import ENSEMBLE, PRETRAINED, StudyConfig
from mutualctr.study.hypotheses import verdict
from mutualctr.study.measure import LEVEL, Judged, Place, Study
from mutualctr.study.plan import ArmCell, peers_of, pretrained_key, pretrained_specs
from mutualctr.study.train import Bench

SCHEMA_VERSION = 2


def build_study(
    bench: Bench,
    finished: Sequence[tuple[ArmCell, Cell]],
    dataset: Mapping[str, Any],
    versions: Mapping[str, Any],
) -> dict:
    """Measure all finished cells on the test rows.

    Every arm stands beside the pretrained peers, their ensemble and the first arm of kind control
    that the cohort has. Plain JSON values in full precision; RelaImp and shares are ratios.
    """
    config = bench.config
    test_label_R = open_block(bench.blocks.folder, "test").label_R
    study = Study(_judged(bench, finished), np.asarray(test_label_R))
    kinds = {arm.name: arm.kind for arm in config.arms}
    rows = study.table(study.places(), bases(config))
    for row in rows:
        row["kind"] = kinds.get(row["arm"], PRETRAINED)
    return plain(
        {
            "schema_version": SCHEMA_VERSION,
            "dataset": dataset,
            "level": LEVEL,
            "groups": config.groups,
            "cohorts": [
                {
                    "name": cohort.name,
                    "architectures": [peer.architecture for peer in cohort.peers],
                    "finetuning": cohort.finetuning.model_dump(mode="json"),
                }
                for cohort in config.cohorts
            ],
            "arms": [arm.model_dump(mode="json") for arm in config.arms],
            "rows": rows,
            "hypotheses": [verdict(h, study) for h in config.hypotheses],
            "trained": _trained(bench, finished),
            "config": config.model_dump(mode="json"),
            "versions": versions,
        }
    )


def bases(config: StudyConfig) -> list[str]:
    """What every arm is compared with."""
    return [PRETRAINED, ENSEMBLE, *(arm.name for arm in config.arms if arm.kind == "control")]


def _judged(bench: Bench, finished: Sequence[tuple[ArmCell, Cell]]) -> dict[Place, list[Judged]]:
    """Places in the order of the configuration: a cohort's pretrained peers, then its arms."""
    dev_label_R = np.asarray(open_block(bench.blocks.folder, "dev").label_R)
    judged: dict[Place, list[Judged]] = {}
    for cohort in bench.config.cohorts:
        place = Place(cohort.name, PRETRAINED, 0)
        for group in range(bench.config.groups):
            found = [
                find(bench.store, pretrained_key(bench.world, bench.config, spec))
                for spec in peers_of(cohort, group)
            ]
            dev_NR, test_NR = (
                np.stack([cell.probability_ENR(part)[0, 0] for cell in found])
                for part in ("dev", "test")
            )
            judged.setdefault(place, []).append(_one(dev_label_R, dev_NR, test_NR))
        for arm_cell, cell in finished:
            if arm_cell.cohort != cohort.name:
                continue
            dev_ENR, test_ENR = (cell.probability_ENR(part) for part in ("dev", "test"))
            for epoch, (dev_NR, test_NR) in enumerate(zip(dev_ENR, test_ENR, strict=True), 1):
                at = Place(cohort.name, arm_cell.arm.name, epoch)
                judged.setdefault(at, []).append(_one(dev_label_R, dev_NR, test_NR))
    return judged


def _one(dev_label_R: np.ndarray, dev_NR: np.ndarray, test_NR: np.ndarray) -> Judged:
    served = int(np.argmax([auc(dev_label_R, p_R) for p_R in dev_NR]))
    return Judged(np.asarray(test_NR), served)


def _trained(bench: Bench, finished: Sequence[tuple[ArmCell, Cell]]) -> dict:
    """How many cells there are and the wall seconds of each where it was trained, added up."""
    config = bench.config
    peers = [
        find(bench.store, pretrained_key(bench.world, config, spec))
        for spec in pretrained_specs(config)
    ]
    seconds = [cell.record["seconds"] for cell in [*peers, *(cell for _, cell in finished)]]
    return {"cells": len(seconds), "seconds": sum(seconds)}
