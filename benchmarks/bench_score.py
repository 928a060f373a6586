"""How many rows a second does batch scoring take, from typed events to Parquet?

    python benchmarks/bench_score.py --model ctr@champion --rows 500000

Generates clicks, ingests and validates them, then scores them with a version of the active stack's
registry, `--repeats` times. Each part is timed by itself. Prints the figures and writes
outputs/bench/score.json with the machine and the command.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mlflow.tracking import MlflowClient

from mutualctr.config import DataConfig, Generated
from mutualctr.data.contract_file import load_contract
from mutualctr.data.engine import ThisMachine
from mutualctr.data.prepare import check_events, ingest_source
from mutualctr.registry.aliases import find_version
from mutualctr.registry.batch import score_events
from mutualctr.versions import versions
from stack.setup import tracking_uri

OUT = Path("outputs/bench/score.json")


def main() -> None:
    """Generate, ingest, validate, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ctr@champion")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    client = MlflowClient(tracking_uri=tracking_uri())
    version = find_version(client, options.model)
    contract = load_contract("criteo")
    data = DataConfig(contract="criteo", generated=Generated(rows=options.rows, seed=12))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("events", "validation", "kept"):
            (folder / name).mkdir()
        events = ingest_source(data, contract, "", folder / "events", folder / "kept", "")
        validate_s, _ = _timed(
            check_events,
            events.files,
            contract,
            None,
            0,
            None,
            folder / "validation",
            ThisMachine(),
        )
        model = f"{version.name}/{version.version}"
        taken, busy = [], []
        for repeat in range(options.repeats):
            scored = folder / f"scored{repeat}"
            scored.mkdir()
            cpu = time.process_time()
            seconds, scores = _timed(score_events, client, model, events, contract, scored)
            assert scores.rows == options.rows
            taken.append(seconds)
            busy.append(time.process_time() - cpu)
    result = {
        "command": " ".join([Path(sys.executable).name, *sys.argv]),
        "model": model,
        "architecture": version.tags.get("architecture", version.name),
        "rows": options.rows,
        "score_s": taken,
        "score_cpu_s": busy,
        "score_rows_per_s": options.rows / statistics.median(taken),
        "validate_rows_per_s": options.rows / validate_s,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "cores": os.cpu_count(),
        "machine": platform.platform(),
        "load_average": os.getloadavg()[0],
        "versions": versions(),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(
        f"{model}: {result['score_rows_per_s']:,.0f} rows/s scored (model loading included; "
        f"{options.rows / statistics.median(busy):,.0f} a second of CPU), "
        f"{result['validate_rows_per_s']:,.0f} rows/s validated, peak "
        f"{result['peak_gib']:.2f} GiB; {options.rows:,} rows on {os.cpu_count()} cores"
    )
    print(OUT)


def _timed(function, *arguments):
    started = time.perf_counter()
    value = function(*arguments)
    return time.perf_counter() - started, value


if __name__ == "__main__":
    main()
