"""All checkpoints of a run with their names: what evaluation judges and the registry publishes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mutualctr.cohort import Peer
from mutualctr.reference import Models
from mutualctr.training.checkpoint import Arm


@dataclass(frozen=True)
class Trained:
    """One checkpoint: whose, after which arm, and the MLflow run that saw it train."""

    peer: Peer
    arm: Arm
    folder: Path
    run_id: str


def all_trained(
    peers: Sequence[Peer],
    pretrained: Sequence[Models],
    control: Sequence[Models],
    mutual: Sequence[Models],
) -> list[Trained]:
    """Name every checkpoint. Within an arm, checkpoints lie in the order of `peers`."""
    return [
        item
        for arm, models in (("pretrained", pretrained), ("control", control), ("mutual", mutual))
        for item in trained_in(arm, peers, models)
    ]


def trained_in(arm: Arm, peers: Sequence[Peer], models: Sequence[Models]) -> list[Trained]:
    """Name the checkpoints of one arm."""
    found = [
        (folder, run_id)
        for reference in models
        for folder, run_id in zip(reference.checkpoints, reference.run_ids, strict=True)
    ]
    return [
        Trained(peer, arm, folder, run_id)
        for peer, (folder, run_id) in zip(peers, found, strict=True)
    ]
