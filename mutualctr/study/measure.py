"""What a study measures, all of it from probabilities on the test rows.

The unit is the seed group: peers of one cohort learn together, so a mean over peers is one number
and the spread is over groups. E epochs, N peers, R test rows, G groups, K comparisons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import stdtr

from mutualctr.evaluation.agreement import agreement
from mutualctr.evaluation.auc import auc, relaimp
from mutualctr.evaluation.calibration import ece, logloss, pcoc, reliability
from mutualctr.evaluation.ensemble import mean_probability
from mutualctr.evaluation.significance import delong, group_interval, holm
from mutualctr.study.config import ENSEMBLE, PRETRAINED

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Judged:
    """One group's peers after one arm and epoch, on the test rows.

    Shapes: probability_NR float64. `served` is the peer that was best on dev.
    """

    probability_NR: np.ndarray
    served: int


@dataclass(frozen=True)
class Place:
    """Which peers, after what, and for how many epochs of it."""

    cohort: str
    arm: str
    epoch: int


class Study:
    """Every measure of every place; `judged` has the same groups everywhere.

    Raises DataError as the measures do.
    """

    def __init__(self, judged: Mapping[Place, Sequence[Judged]], label_R: np.ndarray):
        self._judged = judged
        self._label_R = label_R
        sizes = {len(groups) for groups in judged.values()}
        assert len(sizes) == 1, f"places differ in groups: {sizes}"
        assert min(sizes) >= 2, "one group has no spread"
        self.measured = {place: self._measures(groups) for place, groups in judged.items()}

    def places(self) -> list[Place]:
        return list(self._judged)

    def auc_G(self, place: Place, base: str | None = None) -> np.ndarray:
        """AUC of each group: its mean peer's; of its averaged probability for ENSEMBLE."""
        key = "ensemble_auc" if base == ENSEMBLE else "auc"
        return np.array([group[key] for group in self.measured[place]])

    def compare(self, place: Place, base: str) -> dict:
        """RelaImp of a place over a base of the same cohort, over groups.

        base: PRETRAINED, ENSEMBLE (of the pretrained peers) or an arm, which is taken after as
        many epochs. `p` is that of Student's two-sided paired test of the AUC differences.
        `delong` are intervals of each group's difference over test rows, a footnote.
        """
        at = _base_place(place, base)
        one_G, other_G = self.auc_G(place), self.auc_G(at, base)
        relaimps = [relaimp(a, b) for a, b in zip(one_G, other_G, strict=True)]
        spread = group_interval(relaimps, LEVEL)
        delta = group_interval(list(one_G - other_G), LEVEL)
        return {
            "base": base,
            "relaimp": spread.delta,
            "low": spread.low,
            "high": spread.high,
            "relaimps": relaimps,
            "auc_delta": delta.delta,
            "auc_low": delta.low,
            "auc_high": delta.high,
            "p": _student_p(delta.delta, delta.se, len(relaimps)),
            "delong": self._delong(place, at, base),
        }

    def share(self, place: Place, base: str) -> dict:
        """How much of a place's change over the pretrained peers its base has too, over groups."""
        start_G = self.auc_G(_base_place(place, PRETRAINED))
        gain_G = self.auc_G(place) - start_G
        base_G = self.auc_G(_base_place(place, base), base) - start_G
        shares = (base_G / gain_G).tolist() if (gain_G != 0).all() else [float("nan")] * len(gain_G)
        spread = group_interval(shares, LEVEL)
        return {"share": spread.delta, "low": spread.low, "high": spread.high, "shares": shares}

    def table(self, places: Sequence[Place], bases: Sequence[str]) -> list[dict]:
        """Each place with its measures and its comparisons; `p_holm` is Holm's over the table."""
        rows = []
        for place in places:
            rows.append(
                {
                    "cohort": place.cohort,
                    "arm": place.arm,
                    "epoch": place.epoch,
                    "groups": self.measured[place],
                    "vs": {
                        base: self.compare(place, base)
                        for base in bases
                        if self._comparable(place, base)
                    },
                }
            )
        compared = [entry for row in rows for entry in row["vs"].values()]
        for entry, p in zip(compared, holm([entry["p"] for entry in compared]), strict=True):
            entry["p_holm"] = p
        return rows

    def _comparable(self, place: Place, base: str) -> bool:
        at = _base_place(place, base)
        return at in self._judged and (at != place or base == ENSEMBLE)

    def _measures(self, groups: Sequence[Judged]) -> list[dict]:
        churn = _churn_between([group.probability_NR for group in groups])
        return [self._group(group) | {"churn_between_groups": churn} for group in groups]

    def _group(self, group: Judged) -> dict:
        label_R = self._label_R
        aucs = [auc(label_R, p_R) for p_R in group.probability_NR]
        mean_R = mean_probability(group.probability_NR)
        alike = agreement(label_R, group.probability_NR)
        return {
            "aucs": aucs,
            "auc": float(np.mean(aucs)),
            "served_auc": aucs[group.served],
            "ensemble_auc": auc(label_R, mean_R),
            "logloss": float(np.mean([logloss(label_R, p_R) for p_R in group.probability_NR])),
            "pcoc": float(np.mean([pcoc(label_R, p_R) for p_R in group.probability_NR])),
            "ece": float(np.mean([ece(reliability(label_R, p_R)) for p_R in group.probability_NR])),
            "mean_abs_difference": alike.mean_abs_difference,
            "error_correlation": alike.error_correlation,
        }

    def _delong(self, place: Place, at: Place, base: str) -> list[dict]:
        intervals = []
        for one, other in zip(self._judged[place], self._judged[at], strict=True):
            theirs = other.probability_NR
            if base == ENSEMBLE:
                theirs = mean_probability(theirs)[None]
            ours = one.probability_NR
            contrast = [*[1 / len(ours)] * len(ours), *[-1 / len(theirs)] * len(theirs)]
            found = delong(self._label_R, [*ours, *theirs]).interval(np.array(contrast), LEVEL)
            intervals.append({"delta": found.delta, "low": found.low, "high": found.high})
        return intervals


def _base_place(place: Place, base: str) -> Place:
    if base in (PRETRAINED, ENSEMBLE):
        return Place(place.cohort, PRETRAINED, 0)
    return Place(place.cohort, base, place.epoch)


def _churn_between(probability_GNR: Sequence[np.ndarray]) -> float:
    """Mean |p − p′| of the same peer trained from other seeds: what a retrain changes."""
    return float(
        np.mean([np.abs(one - other).mean() for one, other in combinations(probability_GNR, 2)])
    )


def _student_p(mean: float, se: float, n: int) -> float:
    """Two-sided p of a mean over n groups; 0 spread is certainty either way."""
    if se == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(n - 1, -abs(mean / se)))
