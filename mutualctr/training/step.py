"""One training step of a cohort: gather, interact, loss, backward, update.

On a GPU the step has static shapes and is recorded once as a CUDA graph; the short last batch of
an epoch, and whatever cannot be recorded, runs eagerly.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from models.base import ClickModel
from models.embedding import Gathered
from models.precision import products_in
from mutualctr.training.optimizer import PeerOptimizer
from mutualctr.training.side_by_side import Each, draws
from mutualctr.training.touched import PaddedTouched, Touched

Loss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(logit_NB of the own peers, label_B) → (loss_N to descend, K values per peer to sum up [K, N])"""
EAGER_STEPS = 3
"""Steps before recording: they create moments and workspaces."""
logger = logging.getLogger(__name__)


class Step:
    """One step of all peers on the same batch."""

    def __init__(
        self,
        peers: Sequence[ClickModel],
        optimizers: Sequence[PeerOptimizer],
        loss: Loss,
        dtype: torch.dtype | None,
        random: Callable[[int], AbstractContextManager[None]],
        each: Each,
    ) -> None:
        self._peers, self._optimizers, self._loss = peers, optimizers, loss
        self._dtype, self._each = dtype, each
        self._random = random if draws(peers) else lambda n: nullcontext()
        self.look = PaddedTouched if optimizers[0].static_shapes else Touched
        """What to make of a batch's ids, once for all peers; needs nothing of the step before."""

    def __call__(
        self, lr: float | Tensor, touched: Touched | PaddedTouched, label_B: Tensor
    ) -> Tensor:
        """Update everyone simultaneously; returns the loss's values [K, N], means over the rows."""

        def forward(n: int) -> tuple[Gathered, Tensor, Tensor | None]:
            rows = self._optimizers[n].gather(touched)
            with self._random(n), products_in(self._dtype):
                return rows, *self._peers[n].learn(rows)

        passed = self._each(forward)
        # A leaf, so that each peer's backward is its own.
        logit_NB = torch.stack([logit_B.detach() for _, logit_B, _ in passed]).requires_grad_()
        loss_N, values_KN = self._loss(logit_NB, label_B)
        loss_N.sum().backward()

        def backward(n: int) -> None:
            rows, logit_B, own_loss = passed[n]
            ends = [(logit_B, logit_NB.grad[n])]
            if own_loss is not None:
                ends.append((own_loss, None))
            torch.autograd.backward(*zip(*ends, strict=True))
            self._optimizers[n].step(lr, touched, rows)

        self._each(backward)
        return values_KN


class RecordedStep:
    """The same step, replayed from a CUDA graph: one launch in place of hundreds.

    Batches of another size than the first go to the eager step, and so does everything when the
    recording fails; the reason is logged once.
    """

    def __init__(self, step: Step) -> None:
        self._eager, self.look = step, step.look
        self._seen = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, Tensor, Tensor] | None = None
        self._values_KN: Tensor | None = None

    def __call__(self, lr: float, touched: PaddedTouched, label_B: Tensor) -> Tensor:
        ids_BF = touched.ids_BF
        self._seen += 1
        if self._seen == 1:
            rate = torch.tensor(lr, device=ids_BF.device)
            self._inputs = rate, ids_BF.clone(), label_B.clone()
        if self._inputs is None or ids_BF.shape != self._inputs[1].shape:
            return self._eager(lr, touched, label_B)
        self._inputs[0].fill_(lr)
        self._inputs[1].copy_(ids_BF)
        self._inputs[2].copy_(label_B)
        if self._seen <= EAGER_STEPS:
            return self._beside()
        if self._graph is None:
            try:
                self._record()
            except RuntimeError as error:
                logger.warning("training runs without a CUDA graph: %s", error)
                self._inputs = None
                return self._eager(lr, touched, label_B)
        self._graph.replay()
        return self._values_KN

    def _beside(self) -> Tensor:
        """An eager step on a side stream, as recording wants it beforehand."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            values_KN = self._on_inputs()
        torch.cuda.current_stream().wait_stream(stream)
        return values_KN

    def _on_inputs(self) -> Tensor:
        lr, ids_BF, label_B = self._inputs
        return self._eager(lr, self.look(ids_BF), label_B)

    def _record(self) -> None:
        """Recording runs nothing: the step is taken by the replay that follows."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._values_KN = self._on_inputs()
        self._graph = graph


def fastest(
    step: Step, peers: Sequence[ClickModel], exchanges: bool = False
) -> Step | RecordedStep:
    """The step as the peers' device runs it best; `exchanges` as in ranks.py."""
    if peers[0].table.device.type != "cuda":
        return step
    reason = _why_not_recorded(step, peers, exchanges)
    if reason:
        logger.info("training runs without a CUDA graph: %s", reason)
        return step
    return RecordedStep(step)


def _why_not_recorded(step: Step, peers: Sequence[ClickModel], exchanges: bool) -> str:
    if step.look is not PaddedTouched:
        return "l2_scope touched has shapes that depend on the batch"
    if draws(peers):
        return "dropout draws from a stream of its own per peer"
    if exchanges:
        return "predictions of other ranks arrive within the step"
    return ""
