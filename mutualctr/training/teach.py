"""One cohort through one arm of a study: the paper's finetuning with the pull left open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.base import ClickModel
from mutualctr.config import OptimizerConfig
from mutualctr.data.blocks import Block
from mutualctr.training.adam import BETAS, EPSILON
from mutualctr.training.averaging import WeightAverage
from mutualctr.training.losses import bce
from mutualctr.training.machine import best_device, product_dtype
from mutualctr.training.optimizer import PeerOptimizer
from mutualctr.training.ranks import Alone
from mutualctr.training.rows import Rows, num_batches, shuffled_rows
from mutualctr.training.schedule import learning_rate
from mutualctr.training.side_by_side import side_by_side
from mutualctr.training.state import TrainingState
from mutualctr.training.step import Step
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
    """Train the cohort in place, everyone on the same batches: L_n = BCE + weight · pull_n + own_n.

    own_n is what a model adds itself (`ClickModel.learn`), nothing for most.
    Adam starts fresh, lr(t) = lr₀·10^(−t/3). `after_epoch` is called with 1, 2, … when the peers
    hold the weights to judge.
    """
    device = best_device()
    peers, rows = [model.to(device) for model in peers], Rows(train, device)
    pull = lesson.pull
    learned = pull.parameters() if pull else []
    for parameter in learned:
        parameter.data = parameter.data.to(device)
    others = torch.optim.Adam(learned, betas=BETAS, eps=EPSILON) if learned else None
    optimizers = [PeerOptimizer(model, optimizer_config) for model in peers]
    averages = [WeightAverage(model, lesson.average) for model in peers if lesson.average]
    seeds = [lesson.seed + n for n in range(len(peers))]
    state = TrainingState(peers, optimizers, seeds, 1, None, Alone())
    teacher_logit_TB: Tensor | None = None

    def pulled(logit_NB: Tensor, label_B: Tensor) -> tuple[Tensor, Tensor]:
        loss_N = bce(label_B, logit_NB)
        if pull is not None:
            loss_N = loss_N + lesson.weight * pull(logit_NB, teacher_logit_TB)
        return loss_N, loss_N.detach()[None]

    dtype = product_dtype(optimizer_config.precision, device)
    batch_rows = optimizer_config.batch_rows
    steps = num_batches(train, batch_rows)
    for epoch in range(lesson.epochs):
        for model in peers:
            model.train()
        order = lesson.seed + 7919 * epoch
        batches = zip(
            rows.shuffled(batch_rows, order),
            shuffled_rows(train.rows, batch_rows, order),
            strict=True,
        )
        with side_by_side(peers) as each:
            # Not recorded on a GPU: a teacher's logits are others in every step.
            step = Step(peers, optimizers, pulled, dtype, state.random, each)
            for number, ((ids_BF, label_B), chosen_B) in enumerate(batches):
                lr = learning_rate(lesson.lr, epoch + number / steps)
                teacher_logit_TB = _on(lesson, chosen_B, device)
                step(lr, step.look(ids_BF), label_B)
                if others is not None:
                    others.param_groups[0]["lr"] = lr
                    others.step()
                    others.zero_grad(set_to_none=True)
                if averages:
                    for optimizer in optimizers:
                        optimizer.settle()  # an average reads every weight in every step
                for average in averages:
                    average.update()
        for optimizer in optimizers:
            optimizer.settle()
        for average in averages:
            assert lesson.epochs == 1, "an average replaces the weights, so nothing can follow"
            average.put_into_model()
        after_epoch(epoch + 1)


def _on(lesson: Lesson, chosen_B: np.ndarray, device: torch.device) -> Tensor | None:
    if lesson.teacher_logit_TR is None:
        return None
    logit_TB = np.ascontiguousarray(lesson.teacher_logit_TR[:, chosen_B])
    return torch.from_numpy(logit_TB).to(device)
