"""One pass over a block in a seeded order, without per-row Python."""

from collections.abc import Iterator

import numpy as np
import torch

from mutualctr.data.blocks import Block


def shuffled_batches(
    block: Block, batch_rows: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (ids_BF int32, label_B float32) covering every row once; the last may be shorter.

    The order is a function of `seed` alone.
    """
    order_R = np.random.default_rng(seed).permutation(block.rows)
    for start in range(0, block.rows, batch_rows):
        chosen_B = order_R[start : start + batch_rows]
        label_B = torch.from_numpy(block.label_R[chosen_B].astype(np.float32))
        yield torch.from_numpy(block.ids_RF[chosen_B]), label_B


def num_batches(block: Block, batch_rows: int) -> int:
    """How many batches one epoch has."""
    return -(-block.rows // batch_rows)
