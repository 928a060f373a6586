"""Small data for training tests: random ids, clicks that depend on them."""

import numpy as np

from models.sequence import Sequence
from mutualctr.config import FinetuneConfig, OptimizerConfig, PretrainConfig
from mutualctr.data.blocks import Block
from mutualctr.training.loop import Progress

SIZES = (7, 30, 11)
NUM_IDS = sum(SIZES)
# For architectures that read sequences: two places, about the first field; the padding is the
# first id of the second field, so that some rows have none, one or two items.
SEQUENCES = (Sequence(start=1, length=2, target=0, padding_id=SIZES[0]),)
SILENT = Progress(report=lambda rows: None, record=lambda peer, point: None)


def block(rows: int, seed: int) -> Block:
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *SIZES[:-1]])
    local_RF = np.stack([rng.integers(0, size, rows) for size in SIZES], axis=1)
    logit_R = np.sin(local_RF).sum(axis=1) - 0.5
    label_R = (rng.random(rows) < 1 / (1 + np.exp(-logit_R))).astype(np.uint8)
    return Block((local_RF + offsets).astype(np.int32), label_R, np.arange(rows))


def optimizer_config(scope: str = "full", batch_rows: int = 50) -> OptimizerConfig:
    return OptimizerConfig(
        batch_rows=batch_rows,
        l2_embedding=1e-3,
        l2_mlp=1e-4,
        l2_scope=scope,
        precision="fp32",
    )


def pretrain_config(epochs: int = 2) -> PretrainConfig:
    return PretrainConfig(epochs=epochs, lr=1e-2)


def finetune_config(space: str = "prob", weight: float = 2.0) -> FinetuneConfig:
    return FinetuneConfig(lr=7e-3, weight=weight, space=space, seed=3)
