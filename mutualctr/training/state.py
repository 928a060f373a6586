"""Where a training is: everything that decides what comes next, kept so that it can be killed.

Weights, moments, sums, the random generator and the cursor go into a snapshot every so many steps
and at the end of every epoch. The order of rows is a function of seed and epoch, so a cursor of
epoch and step is all that is needed of the data.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from models.base import ClickModel
from mutualctr.training.optimizer import PeerOptimizer
from mutualctr.training.ranks import Alone
from mutualctr.training.snapshots import Snapshot, Snapshots

Curve = list[dict[str, float]]


class TrainingState:
    """The state of N peers in training; taken up from the newest snapshot where there is one.

    Each peer draws from a random stream of its own, begun by its seed, so that what one draws does
    not depend on who trains beside it. `total_KN` are K sums over the rows of the epoch, one per
    peer, for the learning curve.
    """

    def __init__(
        self,
        peers: Sequence[ClickModel],
        optimizers: Sequence[PeerOptimizer],
        seeds: Sequence[int],
        sums: int,
        snapshots: Snapshots | None,
        ranks: Alone,
    ) -> None:
        self._peers, self._optimizers, self._snapshots = peers, optimizers, snapshots
        self.epoch, self.step = 0, 0
        """The next step to take: the epoch from 0 and the step in it."""
        device = peers[0].table.device
        self.total_KN = torch.zeros(sums, len(peers), device=device)
        self.curves: list[Curve] = [[] for _ in peers]
        self.best: dict[int, dict[str, torch.Tensor]] = {}
        """Peer → weights of its best epoch, where a loop keeps them."""
        self._drawing = torch.cuda if device.type == "cuda" else torch
        self._random = [torch.Generator(device).manual_seed(seed).get_state() for seed in seeds]
        self._taken = 0
        if snapshots is not None:
            agreed = ranks.agree(snapshots.whole())
            if agreed is not None:
                self._take_up(snapshots.load(agreed))

    @contextmanager
    def random(self, n: int) -> Iterator[None]:
        """Draw from peer n's stream."""
        self._drawing.set_rng_state(self._random[n])
        yield
        self._random[n] = self._drawing.get_rng_state()

    def step_done(self) -> None:
        """Count a step; keep a snapshot where one is due."""
        self.step += 1
        self._taken += 1
        if self._snapshots is not None and self._snapshots.due(self._taken):
            self._save()

    def epoch_done(self) -> None:
        """Begin the next epoch with empty sums, and keep a snapshot."""
        self.epoch, self.step = self.epoch + 1, 0
        self.total_KN.zero_()
        if self._snapshots is not None:
            self._save()

    def _save(self) -> None:
        cursor = {
            "epoch": self.epoch,
            "step": self.step,
            "taken": self._taken,
            "curves": self.curves,
        }
        tensors = {"total": self.total_KN, "random": torch.stack(self._random)}
        for n, (model, optimizer) in enumerate(zip(self._peers, self._optimizers, strict=True)):
            tensors |= _named(f"{n}.moments", optimizer.state())  # first, because it settles
            tensors |= _named(f"{n}.weights", model.state_dict())
            tensors |= _named(f"{n}.best", self.best.get(n, {}))
        # Two snapshots of one step differ by what an epoch's end adds: sums and curve.
        self._snapshots.save(2 * self._taken + (self.step == 0), Snapshot(cursor, tensors))

    def _take_up(self, found: Snapshot) -> None:
        self.epoch, self.step = found.cursor["epoch"], found.cursor["step"]
        self._taken, self.curves = found.cursor["taken"], found.cursor["curves"]
        self.total_KN.copy_(found.tensors["total"])
        for n, (model, optimizer) in enumerate(zip(self._peers, self._optimizers, strict=True)):
            model.load_state_dict(_below(f"{n}.weights", found.tensors))
            optimizer.restore(_below(f"{n}.moments", found.tensors))
            best = _below(f"{n}.best", found.tensors)
            if best:
                self.best[n] = best
        # Cloned, because torch reads a generator's state only where memory is aligned.
        self._random = [state.clone() for state in found.tensors["random"]]


def _named(room: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{room}/{name}": value for name, value in tensors.items()}


def _below(room: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = f"{room}/"
    return {k.removeprefix(start): value for k, value in tensors.items() if k.startswith(start)}
