"""Training written the slow, obvious way: dense gradients, autograd of the penalty, plain Adam."""

import torch
import torch.nn.functional as F

from mutualctr.training.penalty import l2_penalty
from mutualctr.training.rows import num_batches, shuffled_batches


class ReferenceOptimizer:
    """Adam as torch documents it; under `touched` each row of the table has its own moments."""

    def __init__(self, model, config):
        self.model, self.config = model, config
        self.table_moments = [torch.zeros_like(model.table) for _ in range(2)]
        self.steps = 0
        dense_only = config.l2_scope == "touched"
        parameters = model.dense_parameters() if dense_only else list(model.parameters())
        self.adam = torch.optim.Adam(parameters, foreach=False, fused=False)

    def step(self, loss, lr, ids_BF):
        """`loss` is the data loss; the penalty is added here."""
        config = self.config
        scope_embedding = config.l2_embedding if config.l2_scope == "full" else 0.0
        self.model.zero_grad(set_to_none=True)
        (loss + l2_penalty(self.model, scope_embedding, config.l2_mlp)).backward()
        self.adam.param_groups[0]["lr"] = lr
        self.adam.step()
        self.steps += 1
        if config.l2_scope == "touched":
            self._row_adam(lr, ids_BF)

    @torch.no_grad()
    def _row_adam(self, lr, ids_BF):
        table, (first, second) = self.model.table, self.table_moments
        for row in ids_BF.unique().tolist():
            gradient = table.grad[row] + self.config.l2_embedding * table[row]
            first[row] = 0.9 * first[row] + 0.1 * gradient
            second[row] = 0.999 * second[row] + 0.001 * gradient**2
            unbiased_first = first[row] / (1 - 0.9**self.steps)
            unbiased_second = second[row] / (1 - 0.999**self.steps)
            table[row] -= lr * unbiased_first / (unbiased_second.sqrt() + 1e-8)


def data_loss(model, ids_BF, label_B):
    logit_B, own_loss = model.learn(model.embedding(ids_BF))
    loss = F.binary_cross_entropy_with_logits(logit_B, label_B.to(model.table.dtype))
    return loss if own_loss is None else loss + own_loss


def pretrain(model, train, optimizer_config, config, seed, epoch=0):
    """One epoch from fresh moments."""
    optimizer = ReferenceOptimizer(model, optimizer_config)
    steps = num_batches(train, optimizer_config.batch_rows)
    batches = shuffled_batches(train, optimizer_config.batch_rows, seed + 7919 * epoch)
    for step, (ids_BF, label_B) in enumerate(batches):
        lr = config.lr * 10 ** (-(epoch + step / steps) / 3)
        optimizer.step(data_loss(model, ids_BF, label_B), lr, ids_BF)


def finetune(peers, train, optimizer_config, config, weight):
    """Equation 3 with its double loop, every peer's optimiser stepping on the same forward pass."""
    optimizers = [ReferenceOptimizer(model, optimizer_config) for model in peers]
    steps = num_batches(train, optimizer_config.batch_rows)
    batches = shuffled_batches(train, optimizer_config.batch_rows, config.seed)
    for step, (ids_BF, label_B) in enumerate(batches):
        with torch.no_grad():
            constants = [model(ids_BF) for model in peers]
        lr = config.lr * 10 ** (-(step / steps) / 3)
        for n, (model, optimizer) in enumerate(zip(peers, optimizers, strict=True)):
            others = [constant for i, constant in enumerate(constants) if i != n]
            terms = [distance(model(ids_BF), other, config.space) for other in others]
            loss = data_loss(model, ids_BF, label_B) + weight * sum(terms) / len(terms)
            optimizer.step(loss, lr, ids_BF)


def distance(logit_B, peer_logit_B, space):
    if space == "logit":
        return (peer_logit_B - logit_B).square().mean()
    if space == "prob":
        return (peer_logit_B.sigmoid() - logit_B.sigmoid()).square().mean()
    return F.binary_cross_entropy_with_logits(logit_B, peer_logit_B.sigmoid())
