"""One pass over a block in a seeded order, without per-row Python."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from mutualctr.data.blocks import Block
from mutualctr.data.read_ahead import read_ahead

CPU = torch.device("cpu")
RESIDENT_SHARE = 0.5
"""Of a GPU's free memory; the rest is for activations."""


class Rows:
    """A block as its readers on one device share it.

    Another device than the CPU gets the whole block, once, where it fits, else batches from
    pinned memory.
    """

    def __init__(self, block: Block, device: torch.device) -> None:
        self.block, self._device = block, device
        self._whole = None
        if device.type != "cpu" and block.ids_RF.nbytes < _free_bytes(device) * RESIDENT_SHARE:
            self._whole = _whole(block, device)

    def shuffled(
        self, batch_rows: int, seed: int, first: int = 0
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield (ids_BF int32, label_B float32) covering every row once; the last may be shorter.

        The order is a function of `seed` alone; `first` skips that many batches of it.
        """
        order = shuffled_rows(self.block.rows, batch_rows, seed, first)
        if self._device.type == "cpu":
            yield from _read(self.block, order)
        elif self._whole is not None:
            yield from _resident(self._whole, order)
        else:
            for batch in read_ahead(map(_pinned, _read(self.block, order))):
                yield tuple(part.to(self._device, non_blocking=True) for part in batch)


def shuffled_batches(
    block: Block, batch_rows: int, seed: int, first: int = 0, device: torch.device = CPU
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """`Rows.shuffled` for one pass and one reader."""
    return Rows(block, device).shuffled(batch_rows, seed, first)


def _read(block: Block, order: Iterable[np.ndarray]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for chosen_B in order:
        label_B = torch.from_numpy(block.label_R[chosen_B].astype(np.float32))
        yield torch.from_numpy(block.ids_RF[chosen_B]), label_B


def _whole(block: Block, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    ids_RF = torch.from_numpy(np.array(block.ids_RF))
    label_R = torch.from_numpy(block.label_R.astype(np.float32))
    return ids_RF.to(device), label_R.to(device)


def _resident(
    whole: tuple[torch.Tensor, torch.Tensor], order: Iterable[np.ndarray]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    ids_RF, label_R = whole
    for chosen_B in order:
        place_B = torch.from_numpy(chosen_B).to(ids_RF.device, non_blocking=True)
        yield ids_RF.index_select(0, place_B), label_R.index_select(0, place_B)


def _pinned(batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(part.pin_memory() for part in batch)


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0]


def shuffled_rows(rows: int, batch_rows: int, seed: int, first: int = 0) -> Iterator[np.ndarray]:
    """Yield chosen_B, the positions of each batch's rows; every row once."""
    order_R = np.random.default_rng(seed).permutation(rows)
    for start in range(first * batch_rows, rows, batch_rows):
        yield order_R[start : start + batch_rows]


def num_batches(block: Block, batch_rows: int) -> int:
    """How many batches one epoch has."""
    return -(-block.rows // batch_rows)
