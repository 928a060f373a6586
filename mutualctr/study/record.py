"""Questions to a study's record (study.json); tables, figures and sentences ask nothing else."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mutualctr.evaluation.significance import group_interval
from mutualctr.study.config import ENSEMBLE, PRETRAINED

PAPER = {"lr": 7e-4, "weight": 1.0, "space": "prob"}
"""How the paper finetunes; it prints no weight, which is weight 1."""


class Found(NamedTuple):
    """A mean over seed groups with its t-interval."""

    value: float
    low: float
    high: float

    @property
    def side(self) -> str:
        """`above` or `below` zero with the whole interval, or `open`."""
        return "above" if self.low > 0 else "below" if self.high < 0 else "open"


class Mutual(NamedTuple):
    """One arm that learns from its peers, after its first epoch, with its fair control."""

    cohort: dict
    row: dict
    pretrained: dict
    control: dict | None
    """The same epoch at the same rate without the peers; None where the study has none."""
    settings: dict

    @property
    def paper(self) -> bool:
        """Whether it has the paper's own rate, weight and space."""
        return self.settings == PAPER

    @property
    def label(self) -> str:
        """The arm's name, and whether its settings are the paper's."""
        arm = self.row["arm"]
        if not self.paper:
            return arm
        return "paper’s settings" if arm == "paper" else f"{arm} (paper’s settings)"

    @property
    def name(self) -> str:
        return f"{self.cohort['name']}: {self.label}"

    @property
    def said(self) -> str:
        """Its space, weight and rate."""
        return "{space}, weight {weight:g}, lr {lr:g}".format(**self.settings)

    @property
    def gain(self) -> Found:
        """RelaImp over the pretrained peers."""
        return over(self.row, PRETRAINED)

    @property
    def control_gain(self) -> Found | None:
        """RelaImp of the control over the pretrained peers: the extra epoch alone."""
        return over(self.control, PRETRAINED) if self.control else None

    @property
    def beyond(self) -> Found | None:
        """RelaImp over the control: what the peers add to the epoch."""
        return over(self.row, self.control["arm"]) if self.control else None

    @property
    def over_ensemble(self) -> Found:
        """RelaImp of one peer over the averaged probability of all pretrained ones."""
        return over(self.row, ENSEMBLE)

    def share(self, level: float) -> Found | None:
        """What part of the change over pretrained the control has too, as in `share`.

        None where the change is not clearly one: what is divided by next to nothing says nothing.
        """
        if self.control is None or self.gain.side == "open":
            return None
        start_G, control_G, own_G = (
            np.array([group["auc"] for group in row["groups"]])
            for row in (self.pretrained, self.control, self.row)
        )
        return share(control_G - start_G, own_G - start_G, level)


def share(part_G: np.ndarray, gain_G: np.ndarray, level: float) -> Found | None:
    """part/gain over groups, of a gain or of a loss; None where groups do not agree on which."""
    if not ((gain_G > 0).all() or (gain_G < 0).all()):
        return None
    spread = group_interval((part_G / gain_G).tolist(), level)
    return Found(spread.delta, spread.low, spread.high)


def gain_or_loss(row: dict) -> str:
    """What a share of the row's change over the pretrained peers is a share of."""
    return "gain" if over(row, PRETRAINED).value > 0 else "loss"


def over(row: dict, base: str) -> Found:
    """RelaImp of a row over one of the bases it was compared with."""
    found = row["vs"][base]
    return Found(found["relaimp"], found["low"], found["high"])


def row_of(study: dict, cohort: str, arm: str | None, epoch: int = 1) -> dict | None:
    """The row of an arm after an epoch; the pretrained peers have epoch 0 whatever is asked."""
    key = (cohort, arm, 0 if arm == PRETRAINED else epoch)
    return next((r for r in study["rows"] if (r["cohort"], r["arm"], r["epoch"]) == key), None)


def first_arm(study: dict, kind: str) -> str | None:
    """The name of the first arm of a kind."""
    return next((arm["name"] for arm in study["arms"] if arm["kind"] == kind), None)


def settings(study: dict, cohort: dict, arm: str) -> dict:
    """The arm's lr, weight and space, its own where it says one, else its cohort's."""
    said = next(a for a in study["arms"] if a["name"] == arm)
    found = {key: said[key] or cohort["finetuning"][key] for key in PAPER}
    if said["kind"] == "scratch" and said["lr"] is None:
        found["lr"] = study["config"]["pretraining"]["lr"]
    return found


def control_of(study: dict, cohort: dict, arm: str) -> dict | None:
    """The first control of the cohort that has the arm's learning rate, after one epoch."""
    lr = settings(study, cohort, arm)["lr"]
    for other in study["arms"]:
        if other["kind"] == "control" and settings(study, cohort, other["name"])["lr"] == lr:
            row = row_of(study, cohort["name"], other["name"])
            if row is not None and other["name"] != arm:
                return row
    return None


def mutuals(study: dict) -> list[Mutual]:
    """What the paper is about: of every cohort its first mutual arm, and the one with the paper's
    settings where that is another."""
    found = []
    for cohort in study["cohorts"]:
        arms = [
            arm["name"]
            for arm in study["arms"]
            if arm["kind"] == "mutual" and row_of(study, cohort["name"], arm["name"])
        ]
        as_paper = [arm for arm in arms if settings(study, cohort, arm) == PAPER]
        for arm in dict.fromkeys([*arms[:1], *as_paper[:1]]):
            found.append(
                Mutual(
                    cohort,
                    row_of(study, cohort["name"], arm),
                    row_of(study, cohort["name"], PRETRAINED),
                    control_of(study, cohort, arm),
                    settings(study, cohort, arm),
                )
            )
    return found


def by_weight(study: dict) -> dict[tuple[str, str, float], list[tuple[float, dict, dict | None]]]:
    """(cohort, space, lr) → (weight, row, control) of mutual arms that differ in the weight alone,
    where there are at least three."""
    found: dict[tuple, list] = {}
    for cohort in study["cohorts"]:
        for arm in study["arms"]:
            row = row_of(study, cohort["name"], arm["name"])
            if arm["kind"] == "mutual" and row:
                said = settings(study, cohort, arm["name"])
                point = (said["weight"], row, control_of(study, cohort, arm["name"]))
                found.setdefault((cohort["name"], said["space"], said["lr"]), []).append(point)
    return {
        key: sorted(points, key=lambda point: point[0])
        for key, points in found.items()
        if len(points) > 2
    }


def same(cohort: dict) -> str | None:
    """The architecture of a cohort of copies; None where peers differ."""
    architectures = set(cohort["architectures"])
    return architectures.pop() if len(architectures) == 1 else None


def over_groups(row: dict, of: Callable[[dict], float | None] | str) -> tuple[float, float]:
    """Mean and standard deviation over seed groups of a measure; NaN where it is not defined."""
    get = (lambda group: group[of]) if isinstance(of, str) else of
    values = [value for group in row["groups"] if (value := get(group)) is not None]
    if len(values) < 2:
        return (values[0] if values else float("nan")), float("nan")
    return float(np.mean(values)), float(np.std(values, ddof=1))


def after_one(study: dict, cohort: str, arm: str) -> tuple[int, Found] | None:
    """The last epoch an arm was judged after, and its AUC there minus that after the first."""
    rows = [r for r in study["rows"] if (r["cohort"], r["arm"]) == (cohort, arm)]
    rows = sorted(rows, key=lambda row: row["epoch"])
    if len(rows) < 2:
        return None
    pairs = zip(rows[-1]["groups"], rows[0]["groups"], strict=True)
    spread = group_interval([last["auc"] - first["auc"] for last, first in pairs], study["level"])
    return rows[-1]["epoch"], Found(spread.delta, spread.low, spread.high)


def ensemble_gain(pretrained: dict) -> float:
    """RelaImp of the pretrained ensemble over the mean pretrained peer."""
    # relaimp of one peer over the ensemble, turned round: 1/(1 + r) − 1
    return 1 / (1 + over(pretrained, ENSEMBLE).value) - 1
