"""Two versions on the same raw rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.tracking import MlflowClient

from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.calibration import logloss, pcoc
from mutualctr.evaluation.drift import psi
from mutualctr.evaluation.significance import Interval, paired_delong
from mutualctr.registry.aliases import find_version
from mutualctr.registry.fresh import answer


@dataclass(frozen=True)
class Side:
    """One version's measures."""

    name: str
    auc: float
    logloss: float
    pcoc: float
    load_s: float


@dataclass(frozen=True)
class Comparison:
    """Both sides, and the first against the second."""

    sides: tuple[Side, Side]
    gain: Interval
    """AUC of the first minus that of the second, paired DeLong."""
    psi: float
    """Of the first's probabilities against the second's."""


def compare(
    client: MlflowClient, first: str, second: str, rows: Path, label_B: np.ndarray, level: float
) -> Comparison:
    """Score a Parquet file of raw rows with two versions, each in a process of its own.

    Raises RegistryError for a version that is not there or cannot read the rows, DataError where
    the labels hold one class only.
    """
    versions = [find_version(client, name) for name in (first, second)]
    answers = [answer(client, version, rows, bulk=True) for version in versions]
    first_B, second_B = (given.probability_B for given in answers)
    sides = tuple(
        Side(
            name=f"{version.name}/{version.version}",
            auc=auc(label_B, given.probability_B),
            logloss=logloss(label_B, given.probability_B),
            pcoc=pcoc(label_B, given.probability_B),
            load_s=given.load_s,
        )
        for version, given in zip(versions, answers, strict=True)
    )
    gain = paired_delong(label_B, first_B, second_B, level)
    return Comparison(sides, gain, psi(second_B, first_B))
