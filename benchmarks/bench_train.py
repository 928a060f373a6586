"""How fast is training, beside the libraries people use, and what could this machine reach?

    make bench-train
    python benchmarks/bench_train.py [--models deepfm,dcn] [--peers-python PYTHON] [--openmp active]

Every contestant is a process of its own that trains the same generated rows for one epoch by its
own loop, in slices; the slices of all contestants of a model take turns, so that a neighbour's
load meets everyone. A figure is the median over slices; min and max stand beside it. All have the
same threads, OpenMP policy and malloc. Test AUC is taken after the epoch.

The floor is what the machine's own rates allow one step: the products of the model at the rate of
the largest of them, and one gather and one summation of the batch's rows.

Writes outputs/bench/train.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from train_data import FIELDS, SIZES, write_clicks

from mutualctr.training.determinism import deterministic
from mutualctr.training.machine import product_dtype
from mutualctr.training.touched import Touched

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "outputs" / "bench" / "train.json"
BATCH, DIM, HIDDEN = 4000, 16, (400, 200, 100)
PAIRS = FIELDS * (FIELDS - 1) // 2
THREADS = 2
TEST_ROWS = 40_000
PEERS = ("fuxictr", "deepctr_torch", "torch_rechub")
MUTUAL_PEERS = 4
FUXICTR_FIBINET_MB = 22_000
"""What everyone's FiBiNET needs at once, FuxiCTR's alone 12 GB; its is left out where less is."""


@dataclass(frozen=True)
class Load:
    """How much of the rows a model trains, and in which slices.

    A slice is the table's window of steps, so that each pays for all it owes
    (training/full_table.py).
    """

    batches: int
    slice: int
    input_width: int


LOADS = {
    "deepfm": Load(112, 16, FIELDS * DIM),
    "dcn": Load(112, 16, FIELDS * DIM),
    "pnn": Load(96, 16, FIELDS * DIM + PAIRS),
    "fibinet": Load(20, 2, 2 * PAIRS * DIM),
}


@dataclass
class Contestant:
    """One process and what it has said."""

    name: str
    process: subprocess.Popen
    batches: int
    slice: int
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)

    def turn(self) -> None:
        """One slice, or the results after the last."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.listen()

    def listen(self) -> None:
        """Read until it waits for its next turn or is done."""
        for line in self.process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "slice":
                clock, processor = rest.split()
                self.seconds.append(float(clock))
                self.processor_seconds.append(float(processor))
            elif word == "done":
                self.result = json.loads(rest)
                return
            elif word == "ready":
                return
        raise SystemExit(f"{self.name} ended early with {self.process.wait()}")

    @property
    def rows_per_s(self) -> dict[str, float]:
        """Median, lowest and highest over the slices; the first one warms up."""
        rates = [self.slice * BATCH / s for s in self.seconds[1:]]
        return {
            "median": round(statistics.median(rates)),
            "min": round(min(rates)),
            "max": round(max(rates)),
        }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--models", default=",".join(LOADS), help="'' for the cohorts alone")
    arguments.add_argument("--peers-python", default=sys.executable)
    arguments.add_argument("--openmp", choices=("default", "passive", "active"), default="default")
    given = arguments.parse_args()
    environment = os.environ | {
        "OMP_NUM_THREADS": str(THREADS),
        "MALLOC_MMAP_MAX_": "0",  # what keep_pages() of the project does for itself
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        "PYTHONPATH": str(HERE.parent),
    }
    environment.pop("OMP_WAIT_POLICY", None)
    if given.openmp != "default":
        environment["OMP_WAIT_POLICY"] = given.openmp
    if os.environ.get("OMP_WAIT_POLICY") != environment.get("OMP_WAIT_POLICY"):
        # OpenMP reads it when torch is imported, and the floor is measured in this process.
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    torch.set_num_threads(THREADS)
    default = "fp32" if product_dtype("auto", torch.device("cpu")) is None else "bf16"
    written = {"hardware": hardware(), "openmp": given.openmp, "batch": BATCH, "dim": DIM}
    written |= {"threads": THREADS, "default_precision": default, "models": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        most = max(load.batches for load in LOADS.values()) * BATCH
        write_clicks(folder, most + TEST_ROWS, seed=1)
        for model in filter(None, given.models.split(",")):
            contest = Contest(folder, model, environment, given.peers_python)
            written["models"][model] = contest.run(default)
            print(json.dumps({model: written["models"][model]}, indent=1), flush=True)
        for name, phase in (("mutual", {}), ("together", {"together": True})):
            written[name] = cohort(folder, environment, **phase)
            print(json.dumps({name: written[name]}, indent=1), flush=True)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Contest:
    """One model, everyone who has it."""

    folder: Path
    model: str
    environment: dict[str, str]
    peers_python: str

    def run(self, default: str) -> dict[str, Any]:
        """Everyone's epoch in turns; the entry of train.json."""
        load = LOADS[self.model]
        everyone = [self.start("ours", p, "train_ours.py", precision=p) for p in ("fp32", "bf16")]
        for library in PEERS:
            if library == "torch_rechub" and self.model == "pnn":
                continue  # it has none
            if self.model == "fibinet" and library == "fuxictr" and free_mb() < FUXICTR_FIBINET_MB:
                print(f"fuxictr's fibinet needs {FUXICTR_FIBINET_MB} MB: left out", flush=True)
                continue
            everyone.append(self.start(library, library, "train_peers.py", library=library))
        floors = []
        for _ in range(load.batches // load.slice):
            floors.append(floor_seconds(load.input_width, self.folder, self.model))
            for contestant in everyone:
                contestant.turn()
        ours = {c.name: c for c in everyone if c.name in ("fp32", "bf16")}
        others = [c for c in everyone if c.name not in ours]
        best = max(others, key=lambda c: c.rows_per_s["median"])
        chosen = ours[default]
        floor = {p: round(BATCH / statistics.median(f[p] for f in floors)) for p in floors[0]}
        return {
            "rows_per_s": chosen.rows_per_s["median"],
            "precision": default,
            "rows_per_s_fp32": ours["fp32"].rows_per_s["median"],
            "rows_per_s_bf16": ours["bf16"].rows_per_s["median"],
            "ranges": {c.name: c.rows_per_s for c in everyone},
            "peers": {c.name: c.rows_per_s["median"] for c in others},
            "best_peer": best.name,
            "ratio_best_peer": round(ratio(chosen, best), 2),
            "ratio_best_peer_fp32": round(ratio(ours["fp32"], best), 2),
            "processor_ratio_best_peer": round(processor_ratio(chosen, best), 2),
            "processor_ratio_best_peer_fp32": round(processor_ratio(ours["fp32"], best), 2),
            "floor_rows_per_s": floor[default],
            "floor_rows_per_s_fp32": floor["fp32"],
            "of_floor": round(chosen.rows_per_s["median"] / floor[default], 2),
            "auc": round(chosen.result["auc"], 5),
            "auc_fp32": round(ours["fp32"].result["auc"], 5),
            "peer_auc": {c.name: round(c.result["auc"], 5) for c in others},
            "rss_mb": chosen.result["rss_mb"],
            "peer_rss_mb": {c.name: c.result["rss_mb"] for c in others},
            "batches": load.batches,
        }

    def start(self, label: str, name: str, script: str, **task: Any) -> Contestant:
        """A process that has read its data and waits for its first turn."""
        load = LOADS[self.model]
        python = sys.executable if label == "ours" else self.peers_python
        return start(self.folder, self.model, load, python, self.environment, name, script, **task)


def start(
    folder: Path,
    model: str,
    load: Load,
    python: str,
    environment: dict[str, str],
    name: str,
    script: str,
    **task: Any,
) -> Contestant:
    full = {
        "folder": str(folder),
        "model": model,
        "train_rows": load.batches * BATCH,
        "test_rows": TEST_ROWS,
        "batch_rows": BATCH,
        "slice": load.slice,
        "dim": DIM,
        "hidden": HIDDEN,
        "lr": 1e-3,
        "l2_embedding": 1e-5,
        "l2_mlp": 1e-7,
        "seed": 7,
        "peers": 1,
    }
    process = subprocess.Popen(
        [python, str(HERE / script), json.dumps(full | task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    contestant = Contestant(name, process, load.batches, load.slice)
    contestant.listen()
    return contestant


def ratio(one: Contestant, other: Contestant) -> float:
    """Median over slices of how much longer the other took, slice by slice."""
    pairs = zip(one.seconds[1:], other.seconds[1:], strict=True)
    return statistics.median(b / a for a, b in pairs)


def processor_ratio(one: Contestant, other: Contestant) -> float:
    """The same of processor seconds: what a neighbour's load distorts less."""
    return statistics.median(other.processor_seconds[1:]) / statistics.median(
        one.processor_seconds[1:]
    )


def cohort(folder: Path, environment: dict[str, str], **phase: Any) -> dict[str, Any]:
    """A step of N DeepFM, mutual or pretraining in one pass, beside N steps of one."""
    load = Load(96, 16, FIELDS * DIM)
    make = {"folder": folder, "model": "deepfm", "load": load, "python": sys.executable}
    make |= {"environment": environment, "script": "train_ours.py", "precision": "auto"}
    one, all_n = (start(name=str(n), peers=n, **phase, **make) for n in (1, MUTUAL_PEERS))
    for _ in range(load.batches // load.slice):
        one.turn()
        all_n.turn()
    ratios = [b / a / MUTUAL_PEERS for a, b in zip(one.seconds, all_n.seconds, strict=True)][1:]
    return {
        "peers": MUTUAL_PEERS,
        "ratio_to_n_singles": round(statistics.median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "processor_ratio_to_n_singles": round(1 / processor_ratio(all_n, one) / MUTUAL_PEERS, 3),
        "rows_per_s": all_n.rows_per_s,
        "rows_per_s_single": one.rows_per_s,
    }


def floor_seconds(width: int, folder: Path, model: str) -> dict[str, float]:
    """The least a step takes at this machine's rates, now, per precision."""
    widths = [width, *HIDDEN, 1]
    flops = 3 * 2 * BATCH * sum(a * b for a, b in pairwise(widths))
    if model == "pnn":
        flops += 3 * 2 * BATCH * FIELDS * FIELDS * DIM
    if model == "fibinet":
        flops += 3 * 2 * BATCH * 2 * PAIRS * DIM * DIM
    columns = DIM + int(model in ("deepfm", "fibinet"))
    offsets = np.cumsum([0, *SIZES[:-1]]).astype(np.int32)
    ids_BF = torch.from_numpy(np.load(folder / "ids.npy", mmap_mode="r")[:BATCH] + offsets)
    table_VE = torch.zeros(sum(SIZES), columns)
    gradient_BFE = torch.zeros(BATCH, FIELDS, columns)
    touched = Touched(ids_BF)
    with deterministic():
        rows = seconds(lambda: F.embedding(ids_BF, table_VE))
        rows += seconds(lambda: touched.sum_of_rows(gradient_BFE))
        found = {}
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            x_BX, weight_YX = torch.ones(BATCH, 624, dtype=dtype), torch.ones(400, 624, dtype=dtype)
            rate = 2 * BATCH * 624 * 400 / seconds(lambda x=x_BX, w=weight_YX: F.linear(x, w))
            found[name] = flops / rate + rows
    return found


def seconds(work: Callable[[], Any]) -> float:
    """The fastest of twenty."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def free_mb() -> float:
    """Memory that could be had now."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("/proc/meminfo does not say MemAvailable")


def hardware() -> str:
    """Processor and threads, for whoever reads the figures."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return f"{len(names)} × {names[0]}, torch {torch.__version__}"


if __name__ == "__main__":
    main()
