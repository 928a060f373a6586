"""What a study compares: cohorts, arms, and the hypotheses written down before it ran."""

from collections import Counter
from typing import Literal

from pydantic import Field, model_validator

from mutualctr.closed import Closed, nearest
from mutualctr.config import (
    DataConfig,
    FeatureConfig,
    FinetuneConfig,
    NetworkConfig,
    OptimizerConfig,
    PeerConfig,
    PretrainConfig,
    SplitConfig,
)
from mutualctr.training.losses import Space

PRETRAINED = "pretrained"
"""The arm every other starts from; it is not configured."""

ENSEMBLE = "pretrained_ensemble"
"""A base to compare with: the averaged probability of the pretrained peers of a group."""

Kind = Literal[
    "control",
    "mutual",
    "scratch",
    "frozen_ensemble",
    "self",
    "teacher",
    "gated",
    "dicn",
    "bridge",
    "ema",
    "swa",
]

TEMPERED = ("teacher", "gated", "dicn", "bridge")
"""Kinds with a teacher whose logits are divided by a temperature."""


class ArmConfig(Closed):
    """One way to spend the extra epoch; what it does is said in `training/teaching.py`.

    control          nothing but the epoch
    mutual           the paper's: each peer pulled towards the others as they learn
    scratch          mutual from random weights, pretraining's epochs, rate and best dev epoch
    frozen_ensemble  pulled towards the fixed mean of the pretrained peers
    self             pulled towards its own pretrained self
    teacher          pulled towards the pretrained peer that is best on dev (Hinton et al. 2015)
    gated            pulled towards a learned mixture of the pretrained peers (Zhu et al. 2020)
    dicn             pulled towards the cohort's first pretrained DICN, whatever it has on dev, so
                     that what it knows is compressed into the others (after Guan et al. 2023)
    bridge           pulled towards a graph network that learned from them (after Deng et al. 2023)
    ema, swa         control, judged by an average of its weights

    What is left out (null) is the cohort's own finetuning.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Kind
    lr: float | None = Field(default=None, gt=0)
    weight: float | None = Field(default=None, gt=0)
    space: Space | None = None
    epochs: int | None = Field(default=None, ge=1)
    """Null is one; scratch trains as long as pretraining does. Every epoch is judged."""
    temperature: float | None = Field(default=None, gt=0)
    """τ of `teacher`, `gated`, `dicn` and `bridge`, in the space soft_bce; null is 1."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "ArmConfig":
        if self.name in (PRETRAINED, ENSEMBLE):
            raise ValueError(f"`{self.name}` is not a name for an arm: every study has it anyway.")
        if self.kind == "scratch" and self.epochs is not None:
            raise ValueError(f"{self.name}: scratch trains for pretraining.epochs; leave it out.")
        if self.kind in ("control", "ema", "swa") and (self.weight or self.space):
            raise ValueError(
                f"{self.name}: {self.kind} has no teacher; leave weight and space out."
            )
        if self.temperature is not None and self.kind not in TEMPERED:
            raise ValueError(f"{self.name}: {self.kind} has no temperature; leave it out.")
        return self


class CohortConfig(Closed):
    """Peers that learn together, and how they are finetuned where an arm does not say."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    peers: tuple[PeerConfig, ...] = Field(min_length=2)
    finetuning: FinetuneConfig
    arms: tuple[str, ...] | None = None
    """Which arms; null is all."""


class Hypothesis(Closed):
    """A sentence that numbers can confirm or refute, written down before they are known.

    relaimp  RelaImp of `arm` over `base`, the mean peer of each group
    share    the part of `arm`'s gain over the pretrained peers that `base` has too,
             (AUC_base − AUC_pretrained) / (AUC_arm − AUC_pretrained)
    """

    id: str
    text: str
    cohort: str
    measure: Literal["relaimp", "share"]
    arm: str
    base: str
    side: Literal["above", "below"]
    threshold: float


class StudyConfig(Closed):
    """Everything a study depends on."""

    data: DataConfig
    split_rows: SplitConfig
    features: FeatureConfig
    network: NetworkConfig
    optimizer: OptimizerConfig
    pretraining: PretrainConfig
    groups: int = Field(ge=2)
    """How often everything is repeated with other seeds; the unit of the statistics."""
    workers: int = Field(ge=1)
    """Cells trained side by side; each gets its share of the cores."""
    arms: tuple[ArmConfig, ...] = Field(min_length=1)
    cohorts: tuple[CohortConfig, ...] = Field(min_length=1)
    hypotheses: tuple[Hypothesis, ...]

    @model_validator(mode="after")
    def _names_hold_together(self) -> "StudyConfig":
        arms = [arm.name for arm in self.arms]
        cohorts = [cohort.name for cohort in self.cohorts]
        for what, names in (("arms", arms), ("cohorts", cohorts)):
            doubled = [name for name, n in Counter(names).items() if n > 1]
            if doubled:
                raise ValueError(f"two {what} are called {doubled[0]}; rename one.")
        for cohort in self.cohorts:
            for name in cohort.arms or ():
                _known(name, arms, f"cohort {cohort.name} names the arm")
            for arm in self.arms_of(cohort):
                if arm.kind == "dicn" and all(p.architecture != "dicn" for p in cohort.peers):
                    raise ValueError(
                        f"cohort {cohort.name} has no dicn that {arm.name} could compress; add "
                        "one, or name the cohort's arms without it."
                    )
        for h in self.hypotheses:
            _known(h.cohort, cohorts, f"hypothesis {h.id} names the cohort")
            known = [PRETRAINED, *(arm.name for arm in self.arms_of(self.cohort(h.cohort)))]
            _known(h.arm, known, f"hypothesis {h.id} names the arm")
            _known(h.base, [*known, ENSEMBLE], f"hypothesis {h.id} names the base")
        return self

    def cohort(self, name: str) -> CohortConfig:
        """The cohort of that name."""
        return next(cohort for cohort in self.cohorts if cohort.name == name)

    def arms_of(self, cohort: CohortConfig) -> list[ArmConfig]:
        """The arms that this cohort goes through."""
        return [arm for arm in self.arms if cohort.arms is None or arm.name in cohort.arms]


def _known(name: str, known: list[str], what: str) -> None:
    if name not in known:
        raise ValueError(f"{what} `{name}`; {nearest(name, known)}")
