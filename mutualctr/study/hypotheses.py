"""Whether the numbers confirm or refute what was written down before them."""

import math

from mutualctr.study.config import PRETRAINED, Hypothesis
from mutualctr.study.measure import Place, Study


def verdict(hypothesis: Hypothesis, study: Study) -> dict:
    """The hypothesis with its measure after one epoch, interval and verdict.

    confirmed  the whole interval lies on the hypothesis' side of its threshold
    refuted    the whole interval lies on the other side
    undecided  the threshold is inside the interval, or a gain is 0 and has no share
    """
    place = Place(hypothesis.cohort, hypothesis.arm, 0 if hypothesis.arm == PRETRAINED else 1)
    if hypothesis.measure == "relaimp":
        found = study.compare(place, hypothesis.base)
        value, low, high = found["relaimp"], found["low"], found["high"]
    else:
        found = study.share(place, hypothesis.base)
        value, low, high = found["share"], found["low"], found["high"]
    return {
        **hypothesis.model_dump(mode="json"),
        "value": value,
        "low": low,
        "high": high,
        "verdict": _side(hypothesis, low, high),
    }


def _side(hypothesis: Hypothesis, low: float, high: float) -> str:
    if math.isnan(low):
        return "undecided"
    above, below = low > hypothesis.threshold, high < hypothesis.threshold
    if not (above or below):
        return "undecided"
    return "confirmed" if above == (hypothesis.side == "above") else "refuted"
