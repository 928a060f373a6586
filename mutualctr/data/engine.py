"""Where the data road runs: on this machine or on Spark.

Both fill the folders of `prepare.py` with the same files, byte for byte, so whoever reads them
never learns which of the two wrote them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from mutualctr.config import EngineName, SplitConfig
from mutualctr.data import blocks, events, features, quarantine, snapshot, split
from mutualctr.data.coded import read_coded
from mutualctr.data.contract import Contract
from mutualctr.data.event_sql import select_events
from mutualctr.data.features import FeatureMap
from mutualctr.data.snapshot import Snapshot
from mutualctr.data.verdict import ValidationReport


class Engine(Protocol):
    """What goes over rows; `files` is the folder with the Parquet files of the events."""

    def read_files(
        self, reader: events.FileReader, parts: Sequence[events.Part]
    ) -> list[events.Entry]:
        """The events of each source file (`events.py`)."""

    def validate(self, files: Path, contract: Contract, without: Path | None) -> ValidationReport:
        """Every expectation over all rows, less those in the quarantine file `without`."""

    def set_aside(self, files: Path, contract: Contract, target: Path) -> int:
        """Write the rows that break a critical rule about single rows (`quarantine.py`)."""

    def take_snapshot(
        self, files: Path, without: Path | None, contract: Contract, reference: Snapshot | None
    ) -> Snapshot:
        """Count the values, in the bins of `reference` where there is one (`snapshot.py`)."""

    def split(
        self, files: Path, contract: Contract, config: SplitConfig, folder: Path, aside: np.ndarray
    ) -> dict[str, int]:
        """Write the part of each row; rows per part (`split.py`)."""

    def encode(
        self,
        files: Path,
        parts: Path,
        contract: Contract,
        feature_set: str | None,
        min_count: int,
        folder: Path,
    ) -> FeatureMap:
        """Fit the feature map on train, write it and the three blocks (`blocks.py`).

        `parts` is the folder that `split` wrote.
        """


class ThisMachine:
    """Arrow, DuckDB and numpy in this process."""

    def read_files(
        self, reader: events.FileReader, parts: Sequence[events.Part]
    ) -> list[events.Entry]:
        return events.read_one_by_one(reader, parts)

    def validate(self, files: Path, contract: Contract, without: Path | None) -> ValidationReport:
        from mutualctr.data.validation import validate  # Great Expectations, for whoever needs it

        return validate(files, contract, without)

    def set_aside(self, files: Path, contract: Contract, target: Path) -> int:
        return quarantine.set_aside(files, contract, target)

    def take_snapshot(
        self, files: Path, without: Path | None, contract: Contract, reference: Snapshot | None
    ) -> Snapshot:
        return snapshot.take_snapshot(select_events(files, without), contract, reference)

    def split(
        self, files: Path, contract: Contract, config: SplitConfig, folder: Path, aside: np.ndarray
    ) -> dict[str, int]:
        return split.split(files, contract, config, folder, aside)

    def encode(
        self,
        files: Path,
        parts: Path,
        contract: Contract,
        feature_set: str | None,
        min_count: int,
        folder: Path,
    ) -> FeatureMap:
        part_R = split.read_parts(parts)
        chosen, sequences = contract.features(feature_set), contract.sequences(feature_set)
        coded = read_coded(files, part_R, features.raw_columns(chosen, sequences))
        feature_map = features.fit(coded, chosen, sequences, contract.column_types, min_count)
        feature_map.save(folder / blocks.FEATURES)
        blocks.write_blocks(files, coded, part_R, feature_map, contract, folder)
        return feature_map


@contextmanager
def engine_of(name: EngineName) -> Iterator[Engine]:
    """The engine of that name, for as long as the block lasts.

    Raises EngineError where Spark is asked for and is not there, or gives up.
    """
    if name == "local":
        yield ThisMachine()
        return
    from mutualctr.data.on_spark.session import spark_session
    from mutualctr.data.on_spark.spark import Spark

    with spark_session() as session:
        yield Spark(session)
