"""Which peers of a cohort this process trains, and how it learns what the others predict.

Peers exchange nothing but their logits on each batch: N · B numbers a step. Every rank holds all
rows and takes the same batches, so nothing else has to be agreed on.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.distributed as dist
from torch import Tensor


class Alone:
    """One process trains the whole cohort."""

    exchanges = False
    """Whether a step waits for what other processes predict."""

    def own(self, peers: int) -> range:
        """Positions of the peers that this process trains."""
        return range(peers)

    def join(self, logit_nB: Tensor) -> Tensor:
        """Logits of the whole cohort from the logits of the own peers."""
        return logit_nB

    def agree(self, steps: Sequence[int]) -> int | None:
        """The newest step that everyone has a snapshot of."""
        return max(steps, default=None)


class Ranks(Alone):
    """One of several processes that torch.distributed joins; peers in contiguous parts.

    A rank's own logits keep their graph, the others' are constants, which is what the mutual term
    takes them for anyway: numbers and gradients are those of one process.
    """

    exchanges = True

    def __init__(self, peers: int) -> None:
        self._rank, self._world = dist.get_rank(), dist.get_world_size()
        assert peers >= self._world, "a rank without a peer has nothing to do"
        cuts = [peers * rank // self._world for rank in range(self._world + 1)]
        self._parts = [range(a, b) for a, b in pairwise(cuts)]

    def own(self, peers: int) -> range:
        return self._parts[self._rank]

    def join(self, logit_nB: Tensor) -> Tensor:
        sent = [logit_nB.new_empty(len(part), logit_nB.shape[1]) for part in self._parts]
        sent[self._rank] = logit_nB.detach().contiguous()
        for rank, tensor in enumerate(sent):  # parts may differ in size, which all_gather refuses
            dist.broadcast(tensor, src=rank)
        sent[self._rank] = logit_nB
        return torch.cat(sent)

    def agree(self, steps: Sequence[int]) -> int | None:
        everyone: list[Sequence[int] | None] = [None] * self._world
        dist.all_gather_object(everyone, list(steps))
        return max(set.intersection(*(set(found) for found in everyone)), default=None)
