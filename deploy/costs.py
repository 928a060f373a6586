#!/usr/bin/env python3
"""What one retrain takes, from throughput that was measured. Standard library only.

    python3 deploy/costs.py --rows 45840617 --peers 4 --epochs 3 --price 1.0

Reads outputs/bench/train.json and data.json (`rows_per_s`), which the benchmarks write on the
machine in question; where they are absent, `FALLBACK`. Hours are of one such machine:

    data     rows / data rows per second
    pretrain groups · peers · epochs · train rows / rows per second of one peer
    finetune groups · arms · peers · train rows / rows per second of one peer in a cohort

Peers on M machines at once divide the second term by min(M, groups · peers); the price stays.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1] / "outputs" / "bench"
TRAIN_SHARE = 0.8
ARMS = 2
"""Mutual and control."""


@dataclass(frozen=True)
class Throughput:
    """Rows per second of one machine, and what machine that was."""

    data: float
    pretrain: float
    finetune: float
    """Per peer: a cohort of N moves through rows N times slower."""
    source: str


FALLBACK = Throughput(
    data=264_059,
    pretrain=160_901,
    finetune=4 * 36_065,
    source="2 vCPU of an AMD EPYC, 24 Nov 2026: DeepFM, D = 16, bf16; all of Criteo as data",
)


def measured() -> Throughput:
    """The benchmarks' own files where both are there."""
    train, data = BENCH / "train.json", BENCH / "data.json"
    if not (train.exists() and data.exists()):
        return FALLBACK
    trained, read = json.loads(train.read_text()), json.loads(data.read_text())
    scales = read["scale"] if isinstance(read["scale"], list) else [read["scale"]]
    cohort = trained["mutual"]
    return Throughput(
        data=max(scales, key=lambda scale: scale["rows"])["rows_per_s"],
        pretrain=trained["models"]["deepfm"]["rows_per_s"],
        finetune=cohort["peers"] * cohort["rows_per_s"]["median"],
        source=f"outputs/bench: {trained['hardware']}",
    )


def hours(
    rate: Throughput, rows: int, peers: int, epochs: int, groups: int = 1, machines: int = 1
) -> dict[str, float]:
    """Hours on the clock per phase, and machine-hours in all."""
    train = TRAIN_SHARE * rows
    data = rows / rate.data / 3600
    pretrain = groups * peers * epochs * train / rate.pretrain / 3600
    finetune = groups * ARMS * peers * train / rate.finetune / 3600
    spread = min(machines, groups * peers)
    return {
        "data": data,
        "pretrain": pretrain / spread,
        "finetune": finetune / min(machines, groups * ARMS),
        "machine_hours": data + pretrain + finetune,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=45_840_617, help="of the source")
    parser.add_argument("--peers", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=3, help="of pretraining")
    parser.add_argument("--groups", type=int, default=1)
    parser.add_argument("--machines", type=int, default=1, help="that train at the same time")
    parser.add_argument("--price", type=float, default=1.0, help="of one machine for one hour")
    given = parser.parse_args()
    rate = measured()
    print(f"throughput: {rate.source}")
    print(f"  data {rate.data:,.0f} rows/s, pretrain {rate.pretrain:,.0f}, ", end="")
    print(f"finetune {rate.finetune:,.0f} per peer")
    found = hours(rate, given.rows, given.peers, given.epochs, given.groups, given.machines)
    clock = found["data"] + found["pretrain"] + found["finetune"]
    for phase in ("data", "pretrain", "finetune"):
        print(f"  {phase:9}{found[phase]:8.2f} h")
    print(f"on the clock {clock:.2f} h, {found['machine_hours']:.2f} machine-hours, ", end="")
    print(f"cost {found['machine_hours'] * given.price:.2f}")


if __name__ == "__main__":
    main()
