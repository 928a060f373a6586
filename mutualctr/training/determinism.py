"""Same configuration, same seed, same data, same CPU: same bits."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mutualctr.training.machine import fast_products, keep_pages


@contextmanager
def deterministic() -> Iterator[None]:
    """Refuse kernels whose result depends on thread timing, and take the fast ones that are left.

    Everything is restored afterwards, but for malloc's way with pages.
    """
    before = torch.are_deterministic_algorithms_enabled()
    filling = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # Writing NaN into every new tensor finds reads of memory nobody wrote; it costs a pass each.
    torch.utils.deterministic.fill_uninitialized_memory = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # a GPU's products ask for it
    keep_pages()
    try:
        with fast_products():
            yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = filling
