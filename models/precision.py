"""In which dtype the large matrix products run: the weights' own, or a shorter one on request.

Weights, their gradients, the table, sums over rows and the logit keep their dtype; what is cast
are the operands of the products that cost the time (hidden layers, field pairs). Not
`torch.autocast`, which would also shorten the thin products that cost nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_requested: ContextVar[torch.dtype | None] = ContextVar("products_in", default=None)


@contextmanager
def products_in(dtype: torch.dtype | None) -> Iterator[None]:
    """Run the large products of any model called inside in `dtype`; None: the weights' own.

    A backward pass repeats what its forward pass did, wherever it runs.
    """
    token = _requested.set(dtype)
    try:
        yield
    finally:
        _requested.reset(token)


def product_dtype(weight: Tensor) -> torch.dtype:
    """What a large product with this weight is to run in."""
    return _requested.get() or weight.dtype
