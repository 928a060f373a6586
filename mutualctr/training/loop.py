"""The two loops the project exists for: pretrain peers, finetune a cohort. One screen each.

`report` is called with the number of rows done, for a progress bar; `record` with one dictionary
per epoch, for the learning curve.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from models.base import ClickModel
from mutualctr.config import FinetuneConfig, OptimizerConfig, PretrainConfig
from mutualctr.data.blocks import Block
from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.calibration import logloss
from mutualctr.training.losses import bce, mutual_term
from mutualctr.training.machine import best_device, product_dtype
from mutualctr.training.optimizer import PeerOptimizer
from mutualctr.training.predict import predict
from mutualctr.training.ranks import Alone
from mutualctr.training.rows import Rows, num_batches, shuffled_batches
from mutualctr.training.schedule import learning_rate
from mutualctr.training.side_by_side import side_by_side
from mutualctr.training.snapshots import Snapshots
from mutualctr.training.state import Curve, TrainingState
from mutualctr.training.step import Step, fastest


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
    snapshots: Snapshots | None = None,
) -> Curve:
    """Train one peer alone; `model` ends with the weights of its best dev-AUC epoch.

    Returns the curve, one record per epoch. The epoch kept is the one with the highest dev_auc.
    Where there is a snapshot, the training goes on from there to the same bits.
    """
    (curve,) = pretrain_together(
        [model], train, dev, optimizer_config, config, [seed], progress, [snapshots]
    )
    return curve


def pretrain_together(
    models: Sequence[ClickModel],
    train: Block,
    dev: Block,
    optimizer_config: OptimizerConfig,
    config: PretrainConfig,
    seeds: Sequence[int],
    progress: Progress,
    snapshots: Sequence[Snapshots | None],
) -> list[Curve]:
    """Train peers that know nothing of each other, step by step, over the same rows.

    Each has its own order, random stream, moments and snapshots, so that it ends with the bits it
    has when it trains alone; they share one copy of the rows, and the threads as in
    side_by_side.py. Returns a curve per peer.
    """
    device = best_device()
    models, rows = [model.to(device) for model in models], Rows(train, device)
    turns = [
        _pretraining(model, rows, dev, optimizer_config, config, seed, kept)
        for model, seed, kept in zip(models, seeds, snapshots, strict=True)
    ]
    curves: list[Curve] = [[] for _ in models]
    with side_by_side(models) as each:
        going = True
        while going:
            told = each(lambda n: next(turns[n], None))
            for n, news in enumerate(told):
                if isinstance(news, int):
                    progress.report(news)
                elif news is not None:
                    curves[n].append(news)
                    progress.record(n, news)
            going = any(news is not None for news in told)
    return curves


def _pretraining(
    model: ClickModel,
    train: Rows,
    dev: Block,
    optimizer_config: OptimizerConfig,
    config: PretrainConfig,
    seed: int,
    snapshots: Snapshots | None,
) -> Iterator[int | dict[str, float]]:
    """One peer's pretraining, which gives way after every step.

    Yields the number of rows done since the last time, and every epoch's point of the curve.
    """
    optimizer = PeerOptimizer(model, optimizer_config)
    batch_rows = optimizer_config.batch_rows
    steps = num_batches(train.block, batch_rows)
    state = TrainingState([model], [optimizer], [seed], 1, snapshots, Alone())
    dtype = product_dtype(optimizer_config.precision, model.table.device)
    step = Step([model], [optimizer], _supervised, dtype, state.random, lambda work: [work(0)])
    step = fastest(step, [model])
    yield (state.epoch * steps + state.step) * batch_rows
    yield from list(state.curves[0])  # epochs of the run that was killed
    while state.epoch < config.epochs:
        model.train()
        order = seed + 7919 * state.epoch
        for ids_BF, label_B in train.shuffled(batch_rows, order, state.step):
            lr = learning_rate(config.lr, state.epoch + state.step / steps)
            state.total_KN += step(lr, step.look(ids_BF), label_B) * len(label_B)
            state.step_done()
            yield len(label_B)
        lr = learning_rate(config.lr, state.epoch + (steps - 1) / steps)
        optimizer.settle()
        train_loss = {"train_loss": state.total_KN[0].item() / train.block.rows}
        point = _judged(model, dev, state.epoch + 1, lr) | train_loss
        state.curves[0].append(point)
        if point["dev_auc"] >= max(earlier["dev_auc"] for earlier in state.curves[0]):
            weights = model.state_dict()
            state.best[0] = {name: value.clone() for name, value in weights.items()}
        state.epoch_done()
        yield point
    model.load_state_dict(state.best[0])


def finetune(
    peers: list[ClickModel],
    train: Block,
    dev: Block,
    optimizer_config: OptimizerConfig,
    config: FinetuneConfig,
    weight: float,
    progress: Progress,
    snapshots: Snapshots | None = None,
    ranks: Alone = Alone(),  # noqa: B008  it has no state
) -> list[Curve]:
    """One epoch for the whole cohort on the same batches, in place; the paper's eq. 3.

    L_n = BCE(y, p_n) + weight · mutual_n. Weight 0 is the control arm: the same epoch, order,
    schedule and fresh Adam, without the peers. Returns one curve per peer: before and after.

    `peers` is the whole cohort. Where several ranks share it, each trains its own and the curves
    of the others stay empty.
    """
    cohort_size, own = len(peers), ranks.own(len(peers))
    device = best_device()
    peers = [peers[n].to(device) for n in own]
    optimizers = [PeerOptimizer(model, optimizer_config) for model in peers]
    steps = num_batches(train, optimizer_config.batch_rows)
    seeds = [config.seed + n for n in own]
    state = TrainingState(peers, optimizers, seeds, 2, snapshots, ranks)

    def paired(own_logit_NB: torch.Tensor, label_B: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logit_NB = ranks.join(own_logit_NB)
        bce_N = bce(label_B, logit_NB)
        mutual_N, pairwise_N = mutual_term(logit_NB, config.space)
        return bce_N + weight * mutual_N, torch.stack([bce_N.detach(), pairwise_N])[:, own]

    dtype = product_dtype(optimizer_config.precision, device)
    progress.report(state.step * optimizer_config.batch_rows)
    if state.epoch == 0 and state.step == 0:
        for curve, model in zip(state.curves, peers, strict=True):
            curve.append(_judged(model, dev, 0, config.lr))
    while state.epoch < 1:
        for model in peers:
            model.train()
        batches = shuffled_batches(
            train, optimizer_config.batch_rows, config.seed, state.step, device
        )
        with side_by_side(peers) as each:
            step = Step(peers, optimizers, paired, dtype, state.random, each)
            step = fastest(step, peers, ranks.exchanges)
            for ids_BF, label_B in batches:
                lr = learning_rate(config.lr, state.step / steps)
                state.total_KN += step(lr, step.look(ids_BF), label_B) * len(label_B)
                progress.report(len(label_B))
                state.step_done()
        lr = learning_rate(config.lr, (steps - 1) / steps)
        for n, (model, optimizer) in enumerate(zip(peers, optimizers, strict=True)):
            optimizer.settle()
            losses = {
                "train_loss": state.total_KN[0, n].item() / train.rows,
                "mutual_loss": state.total_KN[1, n].item() / train.rows,
            }
            state.curves[n].append(_judged(model, dev, 1, lr) | losses)
        state.epoch_done()
    curves: list[Curve] = [[] for _ in range(cohort_size)]
    for n, curve in zip(own, state.curves, strict=True):
        curves[n] = curve
        for point in curve:
            progress.record(n, point)
    return curves


def _supervised(logit_NB: torch.Tensor, label_B: torch.Tensor) -> tuple[torch.Tensor, ...]:
    loss_N = bce(label_B, logit_NB)
    return loss_N, loss_N.detach()[None]


def _judged(model: ClickModel, dev: Block, epoch: int, lr: float) -> dict[str, float]:
    probability_R = predict(model, dev)
    return {
        "epoch": epoch,
        "lr": lr,
        "dev_auc": auc(dev.label_R, probability_R),
        "dev_logloss": logloss(dev.label_R, probability_R),
    }
