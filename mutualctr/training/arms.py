"""From blocks to checkpoints: pretraining peers, and the finetune arms of a cohort."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from mutualctr.cohort import PeerSpec
from mutualctr.config import FinetuneConfig, NetworkConfig, OptimizerConfig, PretrainConfig
from mutualctr.data.blocks import open_block
from mutualctr.reference import Blocks, Models
from mutualctr.training import checkpoint, loop
from mutualctr.training.determinism import deterministic
from mutualctr.training.ranks import Alone
from mutualctr.training.snapshots import Snapshots


def pretrain_peer(
    blocks: Blocks,
    spec: PeerSpec,
    network: NetworkConfig,
    optimizer: OptimizerConfig,
    config: PretrainConfig,
    progress: loop.Progress,
    folder: Path,
    snapshots: Snapshots | None = None,
) -> None:
    """Train one peer alone from its seed and write its best epoch to folder/0.

    With snapshots a killed training goes on to the same bits; they are cleared when it is done.
    """
    pretrain_peers(blocks, [spec], network, optimizer, config, progress, folder, [snapshots])


def pretrain_peers(
    blocks: Blocks,
    specs: Sequence[PeerSpec],
    network: NetworkConfig,
    optimizer: OptimizerConfig,
    config: PretrainConfig,
    progress: loop.Progress,
    folder: Path,
    snapshots: Sequence[Snapshots | None],
) -> None:
    """Train peers in one pass over the rows, each as if it were alone, into folder/0, folder/1, …

    The same bits as `pretrain_peer` for each of them, from which its snapshots may also be.
    """
    cards = [
        checkpoint.Checkpoint(
            arm="pretrained",
            architecture=spec.architecture,
            options=spec.options,
            seed=spec.seed,
            network=network,
            sequences=checkpoint.sequences_of(blocks),
            num_ids=blocks.num_ids,
            num_fields=blocks.num_fields,
            curve=[],
        )
        for spec in specs
    ]
    with deterministic():
        models = []
        for card in cards:
            torch.manual_seed(card.seed)
            models.append(card.build_model())
        train, dev = (open_block(blocks.folder, part) for part in ("train", "dev"))
        seeds = [spec.seed for spec in specs]
        curves = loop.pretrain_together(
            models, train, dev, optimizer, config, seeds, progress, snapshots
        )
    for n, (card, model, curve) in enumerate(zip(cards, models, curves, strict=True)):
        checkpoint.save(folder / str(n), card.model_copy(update={"curve": curve}), model)
    for kept in snapshots:
        if kept is not None:
            kept.clear()


def finetune_cohort(
    blocks: Blocks,
    pretrained: Sequence[Models],
    arm: Literal["control", "mutual"],
    optimizer: OptimizerConfig,
    config: FinetuneConfig,
    progress: loop.Progress,
    folder: Path,
    snapshots: Snapshots | None = None,
    ranks: Alone = Alone(),  # noqa: B008  it has no state
) -> None:
    """One epoch from the pretrained peers, with (mutual) or without (control) the mutual term.

    Both arms see the same rows in the same order with the same schedule and fresh Adam; the only
    difference is the weight. Writes folder/0, folder/1, … in the order of `pretrained`. Snapshots
    as in `pretrain_peer`. Of several ranks each writes the peers it trained.
    """
    weight = config.weight if arm == "mutual" else 0.0
    loaded = [checkpoint.load(path) for models in pretrained for path in models.checkpoints]
    with deterministic():
        train, dev = (open_block(blocks.folder, part) for part in ("train", "dev"))
        peers = [model for _, model in loaded]
        curves = loop.finetune(
            peers, train, dev, optimizer, config, weight, progress, snapshots, ranks
        )
    for n in ranks.own(len(loaded)):
        (card, model), curve = loaded[n], curves[n]
        card = card.model_copy(update={"arm": arm, "curve": curve})
        checkpoint.save(folder / str(n), card, model)
    if snapshots is not None:
        snapshots.clear()
