"""One pass over a block in a seeded order, without per-row Python."""

from collections.abc import Iterator

import numpy as np
import torch

from mutualctr.data.blocks import Block


def shuffled_batches(
    block: Block, batch_rows: int, seed: int, first: int = 0
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (ids_BF int32, label_B float32) covering every row once; the last may be shorter.

    The order is a function of `seed` alone; `first` skips that many batches of it.
    """
    for chosen_B in shuffled_rows(block.rows, batch_rows, seed, first):
        label_B = torch.from_numpy(block.label_R[chosen_B].astype(np.float32))
        yield torch.from_numpy(block.ids_RF[chosen_B]), label_B


def shuffled_rows(rows: int, batch_rows: int, seed: int, first: int = 0) -> Iterator[np.ndarray]:
    """Yield chosen_B, the positions of each batch's rows; every row once."""
    order_R = np.random.default_rng(seed).permutation(rows)
    for start in range(first * batch_rows, rows, batch_rows):
        yield order_R[start : start + batch_rows]


def num_batches(block: Block, batch_rows: int) -> int:
    """How many batches one epoch has."""
    return -(-block.rows // batch_rows)
