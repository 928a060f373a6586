"""The peers of a run: the configured list, repeated once per seed group."""

from collections import Counter
from typing import Any

from mutualctr.closed import Closed
from mutualctr.config import RunConfig

GROUP_SEED_STRIDE = 1000


class PeerSpec(Closed):
    """What pretraining one peer depends on; two equal specs are the same pretrained model."""

    architecture: str
    seed: int
    options: dict[str, Any]


class Start(Closed):
    """The registered version whose weights a peer begins with; part of what decides its own."""

    champion: str
    """The serving version whose cohort it belongs to, such as ctr/12."""
    version: str
    """The peer's own, such as ctr-deepfm/31."""
    key: str
    """Its content (`registry/register.py:content_key`): numbers begin anew in another registry."""


class Peer(Closed):
    """A spec with its place in the run."""

    name: str
    """deepfm-0, or g0-deepfm-0 where there are several groups."""
    group: int
    spec: PeerSpec


def groups_of(config: RunConfig) -> list[list[Peer]]:
    """The cohort of each group. Group g adds 1000·g to every seed, so groups share no model."""
    cohorts = []
    for group in range(config.groups):
        counted: Counter[str] = Counter()
        cohort = []
        for peer in config.peers:
            prefix = f"g{group}-" if config.groups > 1 else ""
            spec = PeerSpec(
                architecture=peer.architecture,
                seed=peer.seed + GROUP_SEED_STRIDE * group,
                options=peer.options,
            )
            name = f"{prefix}{peer.architecture}-{counted[peer.architecture]}"
            counted[peer.architecture] += 1
            cohort.append(Peer(name=name, group=group, spec=spec))
        cohorts.append(cohort)
    return cohorts


def cohort_name(config: RunConfig) -> str:
    """The cohort in a few words, such as `4 deepfm` or `deepfm+dcn+pnn+fibinet`."""
    counted = Counter(peer.architecture for peer in config.peers)
    return "+".join(name if n == 1 else f"{n} {name}" for name, n in counted.items())
