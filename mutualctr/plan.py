"""What a run will need, before it runs: memory and hours per phase, measured by short probes.

    table     4·V·E bytes of weights, 8·V·E of moments; l2_scope full: 4·V of places
    blocks    (4·F + 1 + 8) bytes a row, mapped from disk
    the rest  libraries, dense layers, activations: what the probe has beyond the table

V ids, E columns of the table, F fields.
"""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Literal

from models.registry import ARCHITECTURES
from mutualctr.cohort import Peer, PeerSpec, groups_of
from mutualctr.config import RunConfig
from mutualctr.training.probe import Probe, Probed

FLOAT_BYTES = 4
LABEL_AND_ROW_BYTES = 1 + 8


@dataclass(frozen=True)
class Shape:
    """What of the data decides cost."""

    train_rows: int
    dev_rows: int
    num_ids: int
    num_fields: int


@dataclass(frozen=True)
class Phase:
    """One kind of training of the run."""

    name: str
    times: int
    """How often the run does it."""
    epochs: int
    epoch_seconds: float
    judge_seconds: float
    """Of one look at dev."""
    table_bytes: int
    block_bytes: int
    peak_bytes: int

    @property
    def seconds(self) -> float:
        """All of it, one after the other."""
        return self.times * self.epochs * (self.epoch_seconds + self.judge_seconds)


def plan(config: RunConfig, shape: Shape) -> list[Phase]:
    """Probe every distinct pretraining, or a cohort's in one pass, and the cohort's epoch, each in
    a fresh process."""
    cohorts = groups_of(config)
    everyone = [peer for cohort in cohorts for peer in cohort]
    kinds: dict[str, list[Peer]] = {}
    for peer in everyone:
        kinds.setdefault(_kind(peer.spec), []).append(peer)
    phases = []
    if config.pretraining.together:
        found = _probe(config, shape, "pretrain", cohorts[0])
        name = f"pretrain {len(cohorts[0])} peers together"
        phases.append(_phase(config, shape, name, cohorts[0], found, len(cohorts), epochs=True))
        kinds = {}
    for kind, peers in kinds.items():
        found = _probe(config, shape, "pretrain", peers[:1])
        phases.append(
            _phase(config, shape, f"pretrain {kind}", peers[:1], found, len(peers), epochs=True)
        )
    found = _probe(config, shape, "finetune", cohorts[0])
    for arm in ("mutual", "control"):
        name = f"{arm} epoch of {len(cohorts[0])} peers"
        phases.append(_phase(config, shape, name, cohorts[0], found, len(cohorts), epochs=False))
    return phases


def table_bytes(config: RunConfig, shape: Shape, specs: list[PeerSpec]) -> int:
    """Weights and both moments of every peer's table; full scope: where a row is hot, an int32."""
    columns = 0
    for spec in specs:
        model = ARCHITECTURES[spec.architecture](
            num_ids=shape.num_fields,
            num_fields=shape.num_fields,
            embedding_dim=config.network.embedding_dim,
            hidden=config.network.hidden,
            dropout=config.network.dropout,
            **spec.options,
        )
        columns += 3 * model.table.shape[1] + (config.optimizer.l2_scope == "full")
    return FLOAT_BYTES * shape.num_ids * columns


def _phase(
    config: RunConfig,
    shape: Shape,
    name: str,
    peers: list[Peer],
    found: Probed,
    times: int,
    epochs: bool,
) -> Phase:
    steps = -(-shape.train_rows // config.optimizer.batch_rows)
    block = shape.train_rows * (FLOAT_BYTES * shape.num_fields + LABEL_AND_ROW_BYTES)
    looks = 1 if epochs else 2  # finetuning looks before and after
    return Phase(
        name=name,
        times=times,
        epochs=config.pretraining.epochs if epochs else 1,
        epoch_seconds=steps * found.step_seconds,
        judge_seconds=looks * len(peers) * shape.dev_rows / found.predict_rows_per_second,
        table_bytes=table_bytes(config, shape, [peer.spec for peer in peers]),
        block_bytes=block,
        peak_bytes=found.peak_bytes + block,
    )


def _probe(
    config: RunConfig, shape: Shape, phase: Literal["pretrain", "finetune"], peers: list[Peer]
) -> Probed:
    probe = Probe(
        phase=phase,
        specs=tuple(peer.spec for peer in peers),
        network=config.network,
        optimizer=config.optimizer,
        finetuning=config.finetuning,
        num_ids=shape.num_ids,
        num_fields=shape.num_fields,
    )
    done = subprocess.run(
        [sys.executable, "-m", "mutualctr.training.probe"],
        input=probe.model_dump_json(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Probed.model_validate_json(done.stdout.splitlines()[-1])


def _kind(spec: PeerSpec) -> str:
    said: dict[str, Any] = spec.options
    options = " ".join(f"{name}={value}" for name, value in said.items())
    return f"{spec.architecture} {options}".strip()
