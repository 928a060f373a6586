"""How long and in how much memory do generated Criteo rows go from raw text to blocks?

    python -m benchmarks.bench_scale --rows 45840617 [--folder build/bench]

Ingest, validate, split and encode, each as its step calls it, in one process. The source is written
first and not counted; it stays in the folder for the next time.
"""

import argparse
import json
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.criteo_rows import write_criteo
from mutualctr.config import DataConfig, FeatureConfig, SplitConfig
from mutualctr.data import prepare
from mutualctr.data.contract_file import load_contract
from mutualctr.data.events import ingest
from mutualctr.reference import Events

SEED = 1
MIN_COUNT = 10


def measure(rows: int, folder: Path) -> dict[str, Any]:
    """One entry of outputs/bench/data.json below `scale`."""
    contract = load_contract("criteo")
    source = folder / f"criteo_{rows}.tsv"
    if not source.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_criteo(source, rows, SEED)
    work = folder / f"work_{rows}"
    shutil.rmtree(work, ignore_errors=True)
    seconds, cpu_seconds = {}, {}
    before = resource.getrusage(resource.RUSAGE_SELF)

    def timed(stage: str, function: Callable[[Path], Any]) -> Any:
        (work / stage).mkdir(parents=True)
        start, cpu_start = time.perf_counter(), time.process_time()
        result = function(work / stage)
        seconds[stage] = round(time.perf_counter() - start, 1)
        cpu_seconds[stage] = round(time.process_time() - cpu_start, 2)
        return result

    events = timed("ingest", lambda to: _events(source, to))
    data = DataConfig(contract="criteo", source=str(source))
    validation = timed(
        "validate",
        lambda to: prepare.validate_events(events, contract, data, to, work / "rejected"),
    )
    config = SplitConfig(by="random", seed=SEED)
    split = timed(
        "split", lambda to: prepare.split_events(events, validation, contract, config, "local", to)
    )
    blocks = timed(
        "encode",
        lambda to: prepare.encode_events(
            events, split, contract, None, FeatureConfig(min_count=MIN_COUNT), "local", to
        ),
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    bytes_written = {
        stage: sum(path.stat().st_size for path in (work / stage).rglob("*.*")) for stage in seconds
    }
    shutil.rmtree(work)
    return {
        "rows": rows,
        "minutes": sum(seconds.values()) / 60,
        "peak_gib": used.ru_maxrss / 2**20,
        "rows_per_s": rows / sum(seconds.values()),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "cpu_minutes": (used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime) / 60,
        "source_bytes": source.stat().st_size,
        "written_bytes": bytes_written,
        "num_ids": blocks.num_ids,
    }


def _events(source: Path, folder: Path) -> Events:
    info = ingest(source, load_contract("criteo"), folder)
    return Events.of(folder, source=source.name, source_sha256=info.sha256, rows=info.rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    given = parser.parse_args()
    print(json.dumps(measure(given.rows, given.folder), indent=1))
