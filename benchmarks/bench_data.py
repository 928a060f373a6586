"""How many raw Criteo rows a second become training-ready ids, beside FuxiCTR and DeepCTR's recipe?

    python -m benchmarks.bench_data [--rows 500000] [--fuxictr build/venv-fuxictr/bin/python]

Every contestant runs in a process of its own on two threads, in turn, and times itself without its
imports. `ratio_fuxictr` is against the better of FuxiCTR's two ways, and there is one against its
public entry alone. FuxiCTR reads three CSV files that are split and given a header beforehand, not
counted against it; DeepCTR's recipe writes nothing. `polars_pass` is no contestant but a mark:
reading and coding alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mutualctr.data.synthetic import generate_criteo

REPETITIONS = 3
THREADS = 2
PEERS = Path(__file__).parent / "peers"
FUXICTR = Path("build/venv-fuxictr/bin/python")
SEED = 7


def measure(rows: int, fuxictr: Path) -> dict[str, Any]:
    """The figures of outputs/bench/data.json below `prepare`."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = folder / "clicks.tsv"
        generate_criteo(source, rows, SEED)
        _split_files(source, folder)
        here = sys.executable
        commands = {
            "mutualctr": [here, PEERS / "mutualctr_prepare.py", source, folder / "ours"],
            "deepctr": [here, PEERS / "deepctr_prepare.py", source],
            "fuxictr": [fuxictr, PEERS / "fuxictr_prepare.py", "build_dataset", folder],
            "fuxictr_direct": [fuxictr, PEERS / "fuxictr_prepare.py", "direct", folder],
            "polars_pass": [fuxictr, PEERS / "polars_pass.py", source],
        }
        seconds = {name: [] for name in commands}
        for _ in range(REPETITIONS):
            for name, command in commands.items():
                seconds[name].append(_seconds(command))
        source_bytes = source.stat().st_size
    rates = {name: _rates(rows, taken) for name, taken in seconds.items()}
    ours, polars_pass = rates.pop("mutualctr"), rates.pop("polars_pass")
    best_fuxictr = max(rates["fuxictr"]["rows_per_s"], rates["fuxictr_direct"]["rows_per_s"])
    return {
        "rows": rows,
        "source_bytes": source_bytes,
        "threads": THREADS,
        **ours,
        "peers": rates,
        "polars_pass": polars_pass,
        "ratio_fuxictr": ours["rows_per_s"] / best_fuxictr,
        "ratio_fuxictr_build_dataset": ours["rows_per_s"] / rates["fuxictr"]["rows_per_s"],
        "ratio_deepctr": ours["rows_per_s"] / rates["deepctr"]["rows_per_s"],
    }


def _rates(rows: int, seconds: list[float]) -> dict[str, Any]:
    rates = [rows / taken for taken in seconds]
    return {"rows_per_s": statistics.median(rates), "min": min(rates), "max": max(rates)}


def _seconds(command: list[Any]) -> float:
    """What the contestant prints last."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS))
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | threads,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command[1]} failed:\n{done.stderr[-2000:]}")
    seconds = float(done.stdout.split()[-1])
    print(f"{Path(command[1]).name} {seconds:.2f} s", file=sys.stderr)
    return seconds


def _split_files(source: Path, folder: Path) -> None:
    """The same rows as train.csv, valid.csv and test.csv, 80/10/10 at random, with a header."""
    lines = source.read_bytes().replace(b"\t", b",").splitlines(keepends=True)
    order_R = np.random.default_rng(SEED).permutation(len(lines))
    names = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]
    parts = np.split(order_R, [len(lines) * 8 // 10, len(lines) * 9 // 10])
    for part, chosen in zip(("train", "valid", "test"), parts, strict=True):
        with (folder / f"{part}.csv").open("wb") as file:
            file.write(",".join(names).encode() + b"\n")
            file.writelines(lines[row] for row in chosen)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--fuxictr", type=Path, default=FUXICTR)
    given = parser.parse_args()
    print(json.dumps(measure(given.rows, given.fuxictr), indent=1))
