"""The two loops the project exists for: pretrain one peer, finetune a cohort. One screen each.

`report` is called with the number of rows done, for a progress bar; `record` with one dictionary
per epoch, for the learning curve.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.base import ClickModel
from mutualctr.config import FinetuneConfig, OptimizerConfig, PretrainConfig
from mutualctr.data.blocks import Block
from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.calibration import logloss
from mutualctr.training.losses import bce, mutual_term
from mutualctr.training.optimizer import PeerOptimizer
from mutualctr.training.predict import predict
from mutualctr.training.rows import num_batches, shuffled_batches
from mutualctr.training.schedule import learning_rate

Curve = list[dict[str, float]]


@dataclass(frozen=True)
class Progress:
    """Where a loop tells what it has done."""

    report: Callable[[int], None]
    record: Callable[[int, dict[str, float]], None]


def pretrain(
    model: ClickModel,
    train: Block,
    dev: Block,
    optimizer_config: OptimizerConfig,
    config: PretrainConfig,
    seed: int,
    progress: Progress,
) -> Curve:
    """Train one peer alone; `model` ends with the weights of its best dev-AUC epoch.

    Returns the curve, one record per epoch. The epoch kept is the one with the highest dev_auc.
    """
    torch.manual_seed(seed)
    optimizer = PeerOptimizer(model, optimizer_config)
    steps = num_batches(train, optimizer_config.batch_rows)
    curve: Curve = []
    best_state = None
    for epoch in range(config.epochs):
        total_loss = torch.zeros(())
        model.train()
        batches = shuffled_batches(train, optimizer_config.batch_rows, seed + 7919 * epoch)
        for step, (ids_BF, label_B) in enumerate(batches):
            lr = learning_rate(config.lr, epoch + step / steps)
            row_U, inverse_BF = touched(ids_BF)
            rows_UE = gather(model, row_U)
            loss = bce(label_B, model.interact(spread(rows_UE, inverse_BF)))
            loss.backward()
            optimizer.step(lr, row_U, rows_UE.grad)
            total_loss += loss.detach() * len(label_B)
            progress.report(len(label_B))
        train_loss = {"train_loss": total_loss.item() / train.rows}
        curve.append(_judged(model, dev, epoch + 1, lr) | train_loss)
        progress.record(0, curve[-1])
        if curve[-1]["dev_auc"] >= max(point["dev_auc"] for point in curve):
            best_state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best_state)
    return curve


def finetune(
    peers: list[ClickModel],
    train: Block,
    dev: Block,
    optimizer_config: OptimizerConfig,
    config: FinetuneConfig,
    weight: float,
    progress: Progress,
) -> list[Curve]:
    """One epoch for the whole cohort on the same batches, in place; the paper's eq. 3.

    L_n = BCE(y, p_n) + weight · mutual_n. Weight 0 is the control arm: the same epoch, order,
    schedule and fresh Adam, without the peers. Returns one curve per peer: before and after.
    """
    torch.manual_seed(config.seed)
    optimizers = [PeerOptimizer(model, optimizer_config) for model in peers]
    steps = num_batches(train, optimizer_config.batch_rows)
    total_bce_N, total_mutual_N = torch.zeros(2, len(peers))
    curves: list[Curve] = [[_judged(model, dev, 0, config.lr)] for model in peers]
    for model in peers:
        model.train()
    batches = shuffled_batches(train, optimizer_config.batch_rows, config.seed)
    for step, (ids_BF, label_B) in enumerate(batches):
        lr = learning_rate(config.lr, step / steps)
        row_U, inverse_BF = touched(ids_BF)
        rows_NUE = [gather(model, row_U) for model in peers]
        logit_NB = torch.stack(
            [
                model.interact(spread(rows_UE, inverse_BF))
                for model, rows_UE in zip(peers, rows_NUE, strict=True)
            ]
        )
        bce_N = bce(label_B, logit_NB)
        mutual_N, pairwise_N = mutual_term(logit_NB, config.space)
        (bce_N + weight * mutual_N).sum().backward()
        for optimizer, rows_UE in zip(optimizers, rows_NUE, strict=True):
            optimizer.step(lr, row_U, rows_UE.grad)
        total_bce_N += bce_N.detach() * len(label_B)
        total_mutual_N += pairwise_N * len(label_B)
        progress.report(len(label_B))
    for n, model in enumerate(peers):
        losses = {
            "train_loss": total_bce_N[n].item() / train.rows,
            "mutual_loss": total_mutual_N[n].item() / train.rows,
        }
        curves[n].append(_judged(model, dev, 1, lr) | losses)
    for n, curve in enumerate(curves):
        for point in curve:
            progress.record(n, point)
    return curves


def touched(ids_BF: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The distinct rows a batch touches, and where each id lies among them."""
    row_U, inverse_BF = torch.unique(ids_BF, return_inverse=True)
    return row_U.long(), inverse_BF


def gather(model: ClickModel, row_U: torch.Tensor) -> torch.Tensor:
    """The touched rows of the table as a leaf of their own, so that only they get a gradient."""
    return model.table.detach().index_select(0, row_U).requires_grad_()


def spread(rows_UE: torch.Tensor, inverse_BF: torch.Tensor) -> torch.Tensor:
    """rows_UE[inverse_BF]; index_select because its backward is four times faster than indexing."""
    batch, fields = inverse_BF.shape
    return rows_UE.index_select(0, inverse_BF.reshape(-1)).view(batch, fields, -1)


def _judged(model: ClickModel, dev: Block, epoch: int, lr: float) -> dict[str, float]:
    probability_R = predict(model, dev)
    return {
        "epoch": epoch,
        "lr": lr,
        "dev_auc": auc(dev.label_R, probability_R),
        "dev_logloss": logloss(dev.label_R, probability_R),
    }
