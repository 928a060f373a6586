"""Validation: the contract's suite, run by Great Expectations' own Spark engine on all rows.

Great Expectations judges; the few rows that broke a rule are then looked up by DuckDB with the
rule's own predicate, each file by one task, so quarantine and report are those of one machine.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mutualctr.data.suite import suite_of  # isort: skip  (it silences Great Expectations first)

from mutualctr.data import quarantine
from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.event_sql import select_events, view_of
from mutualctr.data.offenders import OFFENDERS_SHOWN, offenders
from mutualctr.data.on_spark.files import check_shared, files_of
from mutualctr.data.on_spark.tasks import result_of_each
from mutualctr.data.rules import Rule
from mutualctr.data.validation import quiet_context, report_of, run_suite
from mutualctr.data.verdict import Offender, ValidationReport

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def validate(
    session: "SparkSession", events: Path, contract: Contract, without: Path | None
) -> ValidationReport:
    """Run every expectation of the contract over all rows, or all but those set aside.

    Raises DataError for a pattern that Java would read differently.
    """
    frame = frame_of(session, events, without)
    source = quiet_context().data_sources.add_spark("spark", persist=False)
    asset = source.add_dataframe_asset("events")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    outcomes = run_suite(batch, suite_of(contract, "spark"), contract)

    def find_offenders(rules: list[Rule]) -> list[tuple[Offender, ...]]:
        return _first_offenders(session, events, without, rules)

    return report_of(contract, frame.count(), outcomes, find_offenders)


def frame_of(session: "SparkSession", events: Path, without: Path | None = None) -> "DataFrame":
    """All rows, less those in the quarantine file where one is given."""
    frame = session.read.parquet(f"file://{events.absolute()}")
    if without is None:
        return frame
    aside = session.read.parquet(f"file://{without.absolute()}").select(ROW_COLUMN)
    return frame.join(aside, ROW_COLUMN, "left_anti")


def set_aside(session: "SparkSession", events: Path, contract: Contract, target: Path) -> int:
    """Write the rows that break a critical rule about single rows; returns how many."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".aside-") as temporary:
        parts = Path(temporary)

        def of_file(path: Path) -> int:
            check_shared(parts)
            return quarantine.set_aside(path, contract, parts / path.name)

        counts = result_of_each(session, of_file, [file.path for file in files_of(events)])
        rows = quarantine.join_parts(parts, target)
    assert rows == sum(counts)
    return rows


def _first_offenders(
    session: "SparkSession", events: Path, without: Path | None, rules: list[Rule]
) -> list[tuple[Offender, ...]]:
    def of_file(path: Path) -> list[tuple[Offender, ...]]:
        with view_of(select_events(path, without)) as connection:
            return [offenders(rule, connection) for rule in rules]

    if not rules:
        return []
    of_files = result_of_each(session, of_file, [file.path for file in files_of(events)])
    return [
        tuple(offender for found in of_rule for offender in found)[:OFFENDERS_SHOWN]
        for of_rule in zip(*of_files, strict=True)
    ]
