"""Adam as torch's fused kernel takes it, in place: g = dL/dw + λ·w, w ← Adam(w, g)."""

from collections.abc import Sequence

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8
LANES = 16
"""Numbers in a whole vector. The kernel rounds the rest of a tensor otherwise."""


def adam(parts: Sequence[Tensor], lr: float | Tensor, step: int | Tensor, l2: float) -> None:
    """One step, in place, over (weight, gradient, first moment, second moment); steps from 1."""
    adam_of_many([[part] for part in parts], lr, step, l2)


def adam_of_many(
    parts: Sequence[Sequence[Tensor]], lr: float | Tensor, step: int | Tensor, l2: float
) -> None:
    """`adam` over several weights at once: each of the four parts is a list of tensors."""
    weights, gradients, firsts, seconds = parts
    if not isinstance(step, Tensor):
        step = torch.tensor(float(step), device=weights[0].device)
    torch._fused_adam_(
        weights,
        gradients,
        firsts,
        seconds,
        [],
        [step] * len(weights),
        lr=lr,
        beta1=BETAS[0],
        beta2=BETAS[1],
        weight_decay=l2,
        eps=EPSILON,
        amsgrad=False,
        maximize=False,
    )
