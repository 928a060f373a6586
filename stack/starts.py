"""Before a run's steps: what each peer's pretraining begins with."""

from collections.abc import Sequence

import click
from mlflow.tracking import MlflowClient

from mutualctr.cohort import Peer, Start
from mutualctr.config import RunConfig
from mutualctr.registry.start import find_starts
from stack.setup import tracking_uri


def starts_of(config: RunConfig, peers: Sequence[Peer], source: str) -> list[Start | None]:
    """A start for each peer, or None; says so where a champion was asked for.

    Decided while the run is compiled, as the source's fingerprint is: as a step's parameter it is
    part of the cache's key, and a champion that moves meanwhile does not move the run.
    """
    if config.pretraining.start == "fresh":
        return [None] * len(peers)
    client = MlflowClient(tracking_uri=tracking_uri())
    specs = [peer.spec for peer in peers]
    starts, sentence = find_starts(client, config.registry.prefix, specs, source)
    click.echo(f"Start: {sentence}")
    return starts
