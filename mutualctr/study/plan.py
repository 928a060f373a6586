"""Which cells a study needs: pretrained peers first, then every arm of every cohort and group."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mutualctr.cohort import GROUP_SEED_STRIDE, PeerSpec
from mutualctr.config import FinetuneConfig
from mutualctr.study.config import TEMPERED, ArmConfig, CohortConfig, StudyConfig


@dataclass(frozen=True)
class World:
    """What all cells of a study share: the data and the code."""

    blocks_digest: str
    code: str
    """Digest of the code that decides weights."""


@dataclass(frozen=True)
class ArmCell:
    """One arm of one cohort in one seed group."""

    cohort: str
    group: int
    arm: ArmConfig
    peers: tuple[PeerSpec, ...]
    finetuning: FinetuneConfig
    """The cohort's, with what the arm says in its place and the group's own row order."""


def pretrained_specs(config: StudyConfig) -> list[PeerSpec]:
    """Every peer of every cohort and group, once."""
    cells = (cell for cohort in config.cohorts for cell in _groups(config, cohort))
    return list({spec.model_dump_json(): spec for cell in cells for spec in cell}.values())


def arm_cells(config: StudyConfig) -> Iterator[ArmCell]:
    """Cohort by cohort, group by group, arm by arm."""
    for cohort in config.cohorts:
        for group, peers in enumerate(_groups(config, cohort)):
            for arm in config.arms_of(cohort):
                finetuning = _finetuning(config, cohort, group, arm)
                yield ArmCell(cohort.name, group, arm, peers, finetuning)


def pretrained_key(world: World, config: StudyConfig, spec: PeerSpec) -> dict[str, Any]:
    """All that decides a pretrained peer."""
    return {
        "blocks": world.blocks_digest,
        "code": world.code,
        "spec": spec.model_dump(mode="json"),
        **{
            name: getattr(config, name).model_dump(mode="json")
            for name in ("network", "optimizer", "pretraining")
        },
    }


def arm_key(world: World, config: StudyConfig, cell: ArmCell) -> dict[str, Any]:
    """All that decides an arm: its peers as they were pretrained, and how it goes on.

    Names of arms and cohorts decide nothing, so renaming one repeats nothing.
    """
    return {
        "peers": [pretrained_key(world, config, spec) for spec in cell.peers],
        "arm": cell.arm.model_dump(mode="json", include={"kind", "temperature"}),
        "epochs": epochs_of(config, cell.arm),
        "finetuning": cell.finetuning.model_dump(mode="json"),
    }


def epochs_of(config: StudyConfig, arm: ArmConfig) -> int:
    """How many epochs an arm trains."""
    return config.pretraining.epochs if arm.kind == "scratch" else arm.epochs or 1


def peers_of(cohort: CohortConfig, group: int) -> tuple[PeerSpec, ...]:
    """The cohort's peers in one group; group g adds 1000·g to every seed."""
    return tuple(
        PeerSpec(
            architecture=peer.architecture,
            seed=peer.seed + GROUP_SEED_STRIDE * group,
            options=peer.options,
        )
        for peer in cohort.peers
    )


def _groups(config: StudyConfig, cohort: CohortConfig) -> list[tuple[PeerSpec, ...]]:
    return [peers_of(cohort, group) for group in range(config.groups)]


def _finetuning(
    config: StudyConfig, cohort: CohortConfig, group: int, arm: ArmConfig
) -> FinetuneConfig:
    said = arm.model_dump(include={"lr", "weight", "space"}, exclude_none=True)
    if arm.kind == "scratch":
        said = {"lr": config.pretraining.lr} | said
    base = cohort.finetuning
    if arm.kind in ("control", "ema", "swa"):
        said |= {"weight": 0.0}
    if arm.kind in TEMPERED:
        said |= {"space": "soft_bce"}
    return base.model_copy(update={"seed": base.seed + GROUP_SEED_STRIDE * group, **said})
