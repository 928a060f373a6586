"""What the evaluation is given: peers, and the probabilities they gave to the test rows."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mutualctr.errors import DataError

Arm = Literal["pretrained", "control", "mutual"]
ARMS: tuple[Arm, ...] = ("pretrained", "control", "mutual")


@dataclass(frozen=True)
class Peer:
    """One click model: peers of one group learn together, groups repeat the experiment."""

    name: str
    """Unique in a report: `deepfm-0`, or `g0-deepfm-0` where there are several groups."""
    architecture: str
    seed: int
    group: int
    start: str = "fresh"
    """What its pretraining began with: its seed alone, or `champion ctr/12`."""


@dataclass(frozen=True, eq=False)
class Scored:
    """The probabilities that one peer gave to the test rows after one arm.

    Shapes: probability_B float64, in the order of the test rows.
    Raises: DataError where a probability is not a number in [0, 1].
    """

    peer: Peer
    arm: Arm
    probability_B: np.ndarray

    def __post_init__(self):
        assert self.arm in ARMS, self.arm
        assert self.probability_B.ndim == 1, self.probability_B.shape
        assert self.probability_B.dtype == np.float64, self.probability_B.dtype
        bad_B = ~((self.probability_B >= 0) & (self.probability_B <= 1))  # a NaN compares false
        if bad_B.any():
            row = int(bad_B.argmax())
            raise DataError(
                f"peer {self.peer.name}, arm {self.arm}: the probability of test row {row} is "
                f"{self.probability_B[row]}, but must lie in [0, 1]; the training probably "
                "diverged, so lower its learning rate."
            )
