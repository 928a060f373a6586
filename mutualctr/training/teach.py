"""One cohort through one arm of a study: the paper's finetuning with the pull left open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.base import ClickModel
from models.precision import products_in
from mutualctr.config import OptimizerConfig
from mutualctr.data.blocks import Block
from mutualctr.training.averaging import WeightAverage
from mutualctr.training.losses import bce
from mutualctr.training.machine import product_dtype
from mutualctr.training.optimizer import PeerOptimizer
from mutualctr.training.rows import num_batches, shuffled_rows
from mutualctr.training.schedule import learning_rate
from mutualctr.training.table import BETAS, EPSILON, Touched
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
    random = [torch.Generator().manual_seed(lesson.seed + n).get_state() for n in range(len(peers))]
    optimizers = [PeerOptimizer(model, optimizer_config) for model in peers]
    averages = [WeightAverage(model, lesson.average) for model in peers if lesson.average]
    learned = lesson.pull.parameters() if lesson.pull else []
    others = torch.optim.Adam(learned, betas=BETAS, eps=EPSILON) if learned else None
    dtype = product_dtype(optimizer_config.precision, peers[0].table.device)
    steps = num_batches(train, optimizer_config.batch_rows)
    for epoch in range(lesson.epochs):
        for model in peers:
            model.train()
        order = shuffled_rows(train.rows, optimizer_config.batch_rows, lesson.seed + 7919 * epoch)
        for step, chosen_B in enumerate(order):
            lr = learning_rate(lesson.lr, epoch + step / steps)
            ids_BF = torch.from_numpy(train.ids_RF[chosen_B])
            label_B = torch.from_numpy(train.label_R[chosen_B].astype(np.float32))
            touched = Touched(ids_BF)
            rows_NBFE = [optimizer.gather(touched) for optimizer in optimizers]
            logits, own_losses = [], []
            for n, (model, rows_BFE) in enumerate(zip(peers, rows_NBFE, strict=True)):
                torch.set_rng_state(random[n])
                with products_in(dtype):
                    logit_B, own_loss = model.learn(rows_BFE)
                logits.append(logit_B)
                own_losses += [] if own_loss is None else [own_loss]
                random[n] = torch.get_rng_state()
            logit_NB = torch.stack(logits)
            loss_N = bce(label_B, logit_NB)
            if lesson.pull is not None:
                loss_N = loss_N + lesson.weight * lesson.pull(logit_NB, _on(lesson, chosen_B))
            sum(own_losses, loss_N.sum()).backward()
            for optimizer, rows_BFE in zip(optimizers, rows_NBFE, strict=True):
                optimizer.step(lr, touched.row_U, touched.sum_of_rows(rows_BFE.grad))
                if averages:
                    optimizer.settle()  # an average reads every weight in every step
            if others is not None:
                others.param_groups[0]["lr"] = lr
                others.step()
                others.zero_grad(set_to_none=True)
            for average in averages:
                average.update()
        for optimizer in optimizers:
            optimizer.settle()
        for average in averages:
            assert lesson.epochs == 1, "an average replaces the weights, so nothing can follow"
            average.put_into_model()
        after_epoch(epoch + 1)


def _on(lesson: Lesson, chosen_B: np.ndarray) -> torch.Tensor | None:
    if lesson.teacher_logit_TR is None:
        return None
    return torch.from_numpy(np.ascontiguousarray(lesson.teacher_logit_TR[:, chosen_B]))
