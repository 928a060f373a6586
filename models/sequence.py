"""Sequences among the fields: where they lie, and how a model finds their padding.

In ids_BF a sequence is `length` consecutive columns whose ids come from the range of the field it
shares, its target; a place without an item holds `padding_id`, an id of that range that no item
has. Where the padding stands, in front or behind, does not matter.

No id reaches `interact`, so padding is told by its row of the table: it starts at exactly zero,
and every row that is zero is masked, which gives it a gradient of exactly zero. Adam's moments
and the L2 gradient λ·w are then zero as well, and the row stays what it is under every scope.

B rows, F fields, P plain fields, T places of a sequence, D embedding dim.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Sequence(NamedTuple):
    """Columns start … start + length − 1 of ids_BF, about the same things as column `target`."""

    start: int
    length: int
    target: int
    padding_id: int


class Unfolded(NamedTuple):
    """One sequence of a batch: its target's embedding, its items', and which of them are there."""

    target_BD: Tensor
    items_BTD: Tensor
    present_BT: Tensor


class Sequences(nn.Module):
    """Parts rows_BFD into plain fields and sequences, padding masked.

    `num_plain` counts the fields that belong to no sequence. Raises ValueError where there is no
    sequence, one leaves the columns, two overlap, or a target is not a plain field.
    """

    def __init__(self, sequences: tuple[Sequence, ...], num_fields: int):
        super().__init__()
        if not sequences:
            raise ValueError("sequences is empty; give the columns of at least one.")
        taken: set[int] = set()
        for sequence in sequences:
            columns = set(range(sequence.start, sequence.start + sequence.length))
            if not columns or taken & columns or not columns <= set(range(num_fields)):
                raise ValueError(f"{sequence} has no columns of its own among {num_fields}.")
            taken |= columns
        plain = [field for field in range(num_fields) if field not in taken]
        for sequence in sequences:
            if sequence.target not in plain:
                raise ValueError(f"the target of {sequence} is not a plain field.")
        self.sequences = sequences
        self.num_plain = len(plain)
        self.register_buffer("plain_P", torch.tensor(plain), persistent=False)

    def clear_padding(self, table_VE: Tensor) -> None:
        """Set the padding rows of a table to the zero by which they are known."""
        with torch.no_grad():
            for sequence in self.sequences:
                table_VE[sequence.padding_id] = 0.0

    def forward(self, rows_BFD: Tensor) -> tuple[Tensor, list[Unfolded]]:
        """Return plain_BPD and every sequence; no gradient flows into a row of zeros."""
        present_BF = (rows_BFD != 0).any(dim=2)
        masked_BFD = rows_BFD * present_BF.unsqueeze(2)
        plain_BPD = masked_BFD.index_select(1, self.plain_P)
        return plain_BPD, list(self._unfold(masked_BFD, present_BF))

    def _unfold(self, rows_BFD: Tensor, present_BF: Tensor) -> Iterator[Unfolded]:
        for start, length, target, _ in self.sequences:
            places = slice(start, start + length)
            yield Unfolded(rows_BFD[:, target], rows_BFD[:, places], present_BF[:, places])
