"""How numbers read, and the sentences that say what a run found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Headline:
    """The finding in four sentences, each plain text."""

    claim: str
    verdict: str
    ensemble: str
    basis: str


EXPLAINED = {
    "AUC": "the chance that a random click is ranked above a random non-click; 0.5 is a coin.",
    "RelaImp": "relative gain of the part of AUC above a coin: (AUC − ½) / (baseline AUC − ½) − 1.",
    "Control": "the same extra epoch from the same pretrained peer, without the mutual term.",
    "Logloss": "mean −ln of the probability given to what happened; lower is better.",
    "PCOC": "predicted clicks over observed clicks; 1 is right, above 1 promises too many.",
    "ECE": "mean gap between predicted and observed click rate over 20 bins of equal mass.",
    "Ensemble": "the plain average of the probabilities of one group's peers.",
}

_AGAINST_PRETRAINED = {
    "above": "The gain over the pretrained peers is larger than its uncertainty",
    "zero": "The interval against the pretrained peers crosses zero: no gain is shown",
    "below": "Finetuning cost the pretrained peers AUC by more than the uncertainty",
}
_AGAINST_CONTROL = {
    "above": "The peers add something that one more epoch alone does not.",
    "zero": "The interval against the control crosses zero: "
    "one more epoch alone may explain all of it.",
    "below": "One more epoch without peers would have been better.",
}


def number(value: float, digits: int) -> str:
    """0.74123; a typographic minus in front of what is negative."""
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int) -> str:
    """+0.00120 or −0.00120."""
    return f"{value:+.{digits}f}".replace("-", "−")


def percent(ratio: float) -> str:
    """+0.38 %, from the ratio 0.0038."""
    return f"{signed(100 * ratio, 2)} %"


def count(rows: int) -> str:
    """9 982, with a thin space that does not break."""
    return f"{rows:,}".replace(",", "\u202f")


def of_days(days: Sequence[str]) -> str:
    """' of 2026-03-07', ' of 3 days, 2026-03-05 to 2026-03-07'; '' where none is known."""
    if not days:
        return ""
    return f" of {days[0]}" if len(days) == 1 else f" of {len(days)} days, {days[0]} to {days[-1]}"


def shown_interval(comparison: dict) -> tuple[float, float]:
    """The interval to judge by: over groups where there are several, else over test rows."""
    spread = comparison["groups"]
    if spread["n"] > 1:
        return spread["low"], spread["high"]
    only = comparison["delong"]["per_group"][0]
    return only["low"], only["high"]


def headline(report: dict) -> Headline:
    """What the run found, with the doubt that its intervals leave."""
    pretrained = report["delta_auc"]["mutual_vs_pretrained"]
    control = report["delta_auc"]["mutual_vs_control"]
    groups = pretrained["groups"]["n"]
    peers = len(report["peers"]) // groups
    before, after = report["ensembles"]["pretrained"], report["arms"]["mutual"]
    basis = (
        f"Mean over {groups} seed groups of {peers} peers; the intervals are Student's over the "
        "groups, so they say what other seeds would give."
        if groups > 1
        else f"Mean over {peers} peers of one seed group; the intervals are DeLong's over the "
        f"{count(report['rows']['test'])} test rows and do not say what other seeds would give."
    )
    return Headline(
        claim=f"Mutual finetuning moved test AUC by {_moved(pretrained)} over the pretrained peers "
        f"and by {_moved(control)} over one more epoch without peers.",
        verdict=f"{_AGAINST_PRETRAINED[_side(pretrained)]}. {_AGAINST_CONTROL[_side(control)]}",
        ensemble=f"The average of the {peers} pretrained peers reaches {_mean_auc(before)}; "
        f"a single mutual peer reaches {_mean_auc(after)}.",
        basis=basis,
    )


def beginnings(report: dict) -> str:
    """What the peers' pretraining began with: `fresh`, or `champion ctr/12 (3), fresh (1)`."""
    counted = Counter(peer["start"] for peer in report["peers"])
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{start} ({peers})" for start, peers in counted.items())


def _moved(comparison: dict) -> str:
    low, high = shown_interval(comparison)
    return (
        f"{signed(comparison['mean'], 5)} ({percent(comparison['relaimp'])} RelaImp, "
        f"{100 * comparison['level']:.0f} % interval {signed(low, 5)} … {signed(high, 5)})"
    )


def _side(comparison: dict) -> str:
    low, high = shown_interval(comparison)
    return "above" if low > 0 else "below" if high < 0 else "zero"


def _mean_auc(entries: list[dict]) -> str:
    return number(sum(entry["auc"] for entry in entries) / len(entries), 5)
