"""One cohort through one arm of a study: the paper's finetuning with the pull left open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.base import ClickModel
from mutualctr.config import OptimizerConfig
from mutualctr.data.blocks import Block
from mutualctr.training.averaging import WeightAverage
from mutualctr.training.loop import gather, spread, touched
from mutualctr.training.losses import bce
from mutualctr.training.optimizer import BETAS, EPSILON, PeerOptimizer
from mutualctr.training.rows import num_batches, shuffled_rows
from mutualctr.training.schedule import learning_rate
from mutualctr.training.teaching import Pull


@dataclass(frozen=True)
class Lesson:
    """What distinguishes an arm: how long, how fast, and what pulls. Weight 0 is the control."""

    epochs: int
    lr: float
    seed: int
    """Order of the rows; epoch e has the order of seed + 7919·e, as in pretraining."""
    weight: float
    pull: Pull | None
    teacher_logit_TR: np.ndarray | None
    average: str | None
    """`ema` or `swa`: judge an average of the weights."""


def teach(
    peers: Sequence[ClickModel],
    train: Block,
    optimizer_config: OptimizerConfig,
    lesson: Lesson,
    after_epoch: Callable[[int], None],
) -> None:
    """Train the cohort in place, everyone on the same batches: L_n = BCE + weight · pull_n.

    Adam starts fresh, lr(t) = lr₀·10^(−t/3). `after_epoch` is called with 1, 2, … when the peers
    hold the weights to judge.
    """
    random = [torch.Generator().manual_seed(lesson.seed + n).get_state() for n in range(len(peers))]
    optimizers = [PeerOptimizer(model, optimizer_config) for model in peers]
    averages = [WeightAverage(model, lesson.average) for model in peers if lesson.average]
    learned = lesson.pull.parameters() if lesson.pull else []
    others = torch.optim.Adam(learned, betas=BETAS, eps=EPSILON) if learned else None
    steps = num_batches(train, optimizer_config.batch_rows)
    for epoch in range(lesson.epochs):
        for model in peers:
            model.train()
        order = shuffled_rows(train.rows, optimizer_config.batch_rows, lesson.seed + 7919 * epoch)
        for step, chosen_B in enumerate(order):
            lr = learning_rate(lesson.lr, epoch + step / steps)
            ids_BF = torch.from_numpy(train.ids_RF[chosen_B])
            label_B = torch.from_numpy(train.label_R[chosen_B].astype(np.float32))
            row_U, inverse_BF = touched(ids_BF)
            rows_NUE = [gather(model, row_U) for model in peers]
            logits = []
            for n, (model, rows_UE) in enumerate(zip(peers, rows_NUE, strict=True)):
                torch.set_rng_state(random[n])
                logits.append(model.interact(spread(rows_UE, inverse_BF)))
                random[n] = torch.get_rng_state()
            logit_NB = torch.stack(logits)
            loss_N = bce(label_B, logit_NB)
            if lesson.pull is not None:
                loss_N = loss_N + lesson.weight * lesson.pull(logit_NB, _on(lesson, chosen_B))
            loss_N.sum().backward()
            for optimizer, rows_UE in zip(optimizers, rows_NUE, strict=True):
                optimizer.step(lr, row_U, rows_UE.grad)
            if others is not None:
                others.param_groups[0]["lr"] = lr
                others.step()
                others.zero_grad(set_to_none=True)
            for average in averages:
                average.update()
        for average in averages:
            assert lesson.epochs == 1, "an average replaces the weights, so nothing can follow"
            average.put_into_model()
        after_epoch(epoch + 1)


def _on(lesson: Lesson, chosen_B: np.ndarray) -> torch.Tensor | None:
    if lesson.teacher_logit_TR is None:
        return None
    return torch.from_numpy(np.ascontiguousarray(lesson.teacher_logit_TR[:, chosen_B]))
