"""Spark as an engine of the data road: every method hands on to the file of its name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mutualctr.config import SplitConfig
from mutualctr.data import events
from mutualctr.data.contract import Contract
from mutualctr.data.features import FeatureMap
from mutualctr.data.on_spark import encode, ingest, snapshot, split, validation
from mutualctr.data.snapshot import Snapshot
from mutualctr.data.verdict import ValidationReport

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Spark:
    """What `Engine` asks for, by the executors of one session."""

    def __init__(self, session: "SparkSession"):
        self._session = session

    def read_files(
        self, reader: events.FileReader, parts: Sequence[events.Part]
    ) -> list[events.Entry]:
        return ingest.read_files(self._session, reader, parts)

    def validate(self, files: Path, contract: Contract, without: Path | None) -> ValidationReport:
        return validation.validate(self._session, files, contract, without)

    def set_aside(self, files: Path, contract: Contract, target: Path) -> int:
        return validation.set_aside(self._session, files, contract, target)

    def take_snapshot(
        self, files: Path, without: Path | None, contract: Contract, reference: Snapshot | None
    ) -> Snapshot:
        return snapshot.take_snapshot(self._session, files, without, contract, reference)

    def split(
        self, files: Path, contract: Contract, config: SplitConfig, folder: Path, aside: np.ndarray
    ) -> dict[str, int]:
        return split.split(self._session, files, contract, config, folder, aside)

    def encode(
        self,
        files: Path,
        parts: Path,
        contract: Contract,
        feature_set: str | None,
        min_count: int,
        folder: Path,
    ) -> FeatureMap:
        return encode.encode(self._session, files, parts, contract, feature_set, min_count, folder)
