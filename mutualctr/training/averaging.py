"""Averages of a model's weights along its training, judged in place of the last weights."""

import torch

from models.base import ClickModel

EMA_DECAY = 0.999


class WeightAverage:
    """A running average of one model's weights, updated after every step.

    ema  a ← 0.999·a + 0.001·w, from the weights it starts with
    swa  the plain mean over all steps

    Source: Polyak and Juditsky 1992; Izmailov et al. (arXiv 1803.05407). Deviation from the
    latter: the mean is over steps of the one epoch and the learning rate keeps falling, where
    they average once per cycle. No batch statistics exist here to be made anew.
    """

    def __init__(self, model: ClickModel, method: str) -> None:
        assert method in ("ema", "swa"), method
        self._method = method
        self._model = model
        self._average = [p.detach().clone() for p in model.parameters()]
        self._steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average."""
        self._steps += 1
        share = 1 - EMA_DECAY if self._method == "ema" else 1 / self._steps
        current = [p.detach() for p in self._model.parameters()]
        torch._foreach_lerp_(self._average, current, share)

    @torch.no_grad()
    def put_into_model(self) -> None:
        """Replace the model's weights by the average; training is over then."""
        torch._foreach_copy_([p.data for p in self._model.parameters()], self._average)
