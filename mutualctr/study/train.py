"""How a cell is filled: pretrain one peer, or take a cohort through one arm."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.base import ClickModel
from models.bridge import Bridge
from mutualctr.cohort import PeerSpec
from mutualctr.data.blocks import Block, open_block
from mutualctr.evaluation.auc import auc
from mutualctr.reference import Blocks
from mutualctr.study import cells
from mutualctr.study.cells import Cell
from mutualctr.study.config import StudyConfig
from mutualctr.study.plan import ArmCell, World, arm_key, epochs_of, pretrained_key
from mutualctr.training import checkpoint, loop
from mutualctr.training.arms import pretrain_peer
from mutualctr.training.determinism import deterministic
from mutualctr.training.predict import predict
from mutualctr.training.teach import Lesson, teach
from mutualctr.training.teaching import FrozenEnsemble, Gated, Mutual, Myself, Pull, Teacher

SILENT = loop.Progress(report=lambda rows: None, record=lambda peer, point: None)
BRIDGE_SEED_OFFSET = 500


@dataclass(frozen=True)
class Bench:
    """Where cells are made: the data, the configuration, the store. Goes to worker processes."""

    blocks: Blocks
    config: StudyConfig
    store: Path
    code: str

    @property
    def world(self) -> World:
        return World(self.blocks.digest, self.code)

    def open(self, part: str) -> Block:
        return open_block(self.blocks.folder, part)


def pretrained_cell(bench: Bench, spec: PeerSpec) -> Cell:
    """One peer trained alone: checkpoint, probabilities on dev and test, logits on train."""

    def fill(folder: Path) -> dict[str, Any]:
        start = time.perf_counter()
        config = bench.config
        pretrain_peer(
            bench.blocks,
            spec,
            config.network,
            config.optimizer,
            config.pretraining,
            SILENT,
            folder,
        )
        card, model = checkpoint.load(folder / "0")
        for part in ("dev", "test"):
            cells.write_scores(folder, part, predict(model, bench.open(part))[None, None])
        probability_R = predict(model, bench.open("train"))
        np.save(folder / "train.npy", _logit(probability_R)[None], allow_pickle=False)
        return {"curve": card.curve, "seconds": time.perf_counter() - start}

    return cells.make(bench.store, pretrained_key(bench.world, bench.config, spec), fill)


def arm_cell(bench: Bench, cell: ArmCell) -> Cell:
    """One cohort through one arm, judged after every epoch (scratch: at its best on dev)."""

    def fill(folder: Path) -> dict[str, Any]:
        start = time.perf_counter()
        with deterministic():
            dev_ENR, test_ENR = _taught(bench, cell)
        cells.write_scores(folder, "dev", dev_ENR)
        cells.write_scores(folder, "test", test_ENR)
        return {"seconds": time.perf_counter() - start}

    return cells.make(bench.store, arm_key(bench.world, bench.config, cell), fill)


def _taught(bench: Bench, cell: ArmCell) -> tuple[np.ndarray, np.ndarray]:
    train, dev, test = (bench.open(part) for part in ("train", "dev", "test"))
    taught_from = [pretrained_cell(bench, spec) for spec in cell.peers]
    if cell.arm.kind == "scratch":
        peers = [_fresh(bench, spec) for spec in cell.peers]
    else:
        peers = [checkpoint.load(found.folder / "0")[1] for found in taught_from]
    lesson = _lesson(bench, cell, taught_from, train, dev)
    scores: dict[str, list[np.ndarray]] = {"dev": [], "test": []}

    def judge(epoch: int) -> None:
        for part, block in (("dev", dev), ("test", test)):
            scores[part].append(np.stack([predict(model, block) for model in peers]))

    teach(peers, train, bench.config.optimizer, lesson, judge)
    dev_ENR, test_ENR = np.stack(scores["dev"]), np.stack(scores["test"])
    if cell.arm.kind == "scratch":
        return _best_epoch(dev_ENR, test_ENR, dev.label_R)
    return dev_ENR, test_ENR


def _lesson(
    bench: Bench, cell: ArmCell, taught_from: Sequence[Cell], train: Block, dev: Block
) -> Lesson:
    kind, finetuning = cell.arm.kind, cell.finetuning
    teacher_TR = None
    if kind not in ("control", "ema", "swa", "mutual", "scratch"):
        teacher_TR = np.concatenate([found.train_logit_NR() for found in taught_from])
    if kind == "bridge":
        teacher_TR = _bridge_logit(bench, cell, teacher_TR, train, dev)[None]
    return Lesson(
        epochs=epochs_of(bench.config, cell.arm),
        lr=finetuning.lr,
        seed=finetuning.seed,
        weight=finetuning.weight,
        pull=_pull(cell, taught_from, dev),
        teacher_logit_TR=teacher_TR,
        average=kind if kind in ("ema", "swa") else None,
    )


def _pull(cell: ArmCell, taught_from: Sequence[Cell], dev: Block) -> Pull | None:
    space, tau, n = cell.finetuning.space, cell.arm.temperature or 1.0, len(cell.peers)
    match cell.arm.kind:
        case "control" | "ema" | "swa":
            return None
        case "mutual" | "scratch":
            return Mutual(space)
        case "frozen_ensemble":
            return FrozenEnsemble(space)
        case "self":
            return Myself(space)
        case "teacher":
            dev_N = [auc(dev.label_R, c.probability_ENR("dev")[0, 0]) for c in taught_from]
            return Teacher(int(np.argmax(dev_N)), tau)
        case "dicn":
            return Teacher([spec.architecture for spec in cell.peers].index("dicn"), tau)
        case "gated":
            return Gated(n, n, tau)
        case "bridge":
            return Teacher(0, tau)
    raise AssertionError(cell.arm.kind)


def _bridge_logit(
    bench: Bench, cell: ArmCell, teacher_TR: np.ndarray, train: Block, dev: Block
) -> np.ndarray:
    """Train a bridge to follow the peers' mean for as long as they trained; its logits on train
    at its best dev epoch."""
    config = bench.config
    torch.manual_seed(cell.finetuning.seed + BRIDGE_SEED_OFFSET)
    bridge = Bridge(
        num_ids=bench.blocks.num_ids,
        num_fields=bench.blocks.num_fields,
        embedding_dim=config.network.embedding_dim,
    )
    lesson = Lesson(
        epochs=config.pretraining.epochs,
        lr=config.pretraining.lr,
        seed=cell.finetuning.seed + BRIDGE_SEED_OFFSET,
        weight=cell.finetuning.weight,
        pull=FrozenEnsemble("soft_bce"),
        teacher_logit_TR=teacher_TR,
        average=None,
    )
    best: list[tuple[float, np.ndarray]] = []

    def keep_best(epoch: int) -> None:
        reached = auc(dev.label_R, predict(bridge, dev))
        if not best or reached >= best[0][0]:
            best[:] = [(reached, _logit(predict(bridge, train)))]

    teach([bridge], train, config.optimizer, lesson, keep_best)
    return best[0][1]


def _fresh(bench: Bench, spec: PeerSpec) -> ClickModel:
    """The peer as pretraining starts it."""
    card = checkpoint.Checkpoint(
        arm="pretrained",
        architecture=spec.architecture,
        options=spec.options,
        seed=spec.seed,
        network=bench.config.network,
        sequences=checkpoint.sequences_of(bench.blocks),
        num_ids=bench.blocks.num_ids,
        num_fields=bench.blocks.num_fields,
        curve=[],
    )
    torch.manual_seed(spec.seed)
    return card.build_model()


def _best_epoch(
    dev_ENR: np.ndarray, test_ENR: np.ndarray, label_R: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each peer at its own best dev epoch, as pretraining keeps it: [1, N, R] of both parts."""
    dev_EN = np.array([[auc(label_R, p_R) for p_R in epoch_NR] for epoch_NR in dev_ENR])
    best_N = len(dev_EN) - 1 - dev_EN[::-1].argmax(axis=0)  # the later of equals
    peers = np.arange(dev_EN.shape[1])
    return dev_ENR[best_N, peers][None], test_ENR[best_N, peers][None]


def _logit(probability_R: np.ndarray) -> np.ndarray:
    tiny = np.finfo(np.float64).eps
    kept_R = np.clip(probability_R, tiny, 1 - tiny)
    return (np.log(kept_R) - np.log1p(-kept_R)).astype(np.float32)
