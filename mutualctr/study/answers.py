"""What a study says of the paper's claims, in sentences; every one is decided by an interval.

"Better" and "worse" mean that the whole interval over seed groups lies on that side of zero;
anything else is undecided, which is not the same as no difference.
"""

from collections.abc import Iterable, Sequence

from mutualctr.evaluation.wording import percent, signed
from mutualctr.study.config import PRETRAINED
from mutualctr.study.record import (
    Found,
    Mutual,
    after_one,
    first_arm,
    gain_or_loss,
    mutuals,
    over,
    row_of,
    same,
)

SIGNIFICANT = 0.05


def headline(study: dict) -> str:
    """Whether learning from peers beats the same epoch without them, in one sentence."""
    against = [(m.cohort["name"], m.beyond) for m in _tuned(study) if m.beyond]
    if not against:
        return "The study has no control at the rate of its mutual arm, so it decides nothing."
    better = [name for name, found in against if found.side == "above"]
    worse = [name for name, found in against if found.side == "below"]
    end = f"; they lose to it in {', '.join(worse)}" if worse else ""
    how_many = f"In {len(better)} of {len(against)} cohorts" if better else "In no cohort"
    verb = "beat" if better else "were peers that learn from each other shown to beat"
    who = "peers that learn from each other " if better else ""
    return f"{how_many} {who}{verb} the same epoch without peers{end}."


def answers(study: dict) -> list[tuple[str, str]]:
    """The paper's claims and the questions it left open, each with where it holds."""
    tuned = _tuned(study)
    as_paper = [m for m in mutuals(study) if m.paper and m not in tuned]
    found = [
        ("One mutual epoch improves pretrained peers", _placed(_gains(tuned))),
        ("The peers add something to the extra epoch (mutual over its control)", _beyond(tuned)),
        (
            "How much of that change the extra epoch alone would give (above 100 %: more)",
            _shares(study, tuned),
        ),
        (
            "One mutual peer replaces the ensemble of the pretrained",
            _placed((m.cohort["name"], m.over_ensemble) for m in tuned),
        ),
        ("At the paper's own settings: over the pretrained peers", _placed(_gains(as_paper))),
        ("At the paper's own settings: over their control", _beyond(as_paper)),
        ("At the paper's own settings: share of the extra epoch", _shares(study, as_paper)),
        ("From scratch, mutual learning gains nothing over independent training", _scratch(study)),
        ("After one mutual epoch performance degrades", _later(study)),
        ("More peers give more", _sizes(study)),
    ]
    return [(claim, answer) for claim, answer in found if answer]


def findings(study: dict) -> list[str]:
    """The numbers behind the first answers, one sentence per cohort."""
    sentences = []
    for m in _tuned(study):
        parts = [f"{_interval(m.gain)} over pretrained"]
        if m.control:
            parts.append(f"{_interval(m.beyond)} over {m.control['arm']}")
        parts.append(f"one peer {_interval(m.over_ensemble)} over the pretrained ensemble")
        part = m.share(study["level"])
        if part:
            of = f"{100 * part.value:.0f} % of the {gain_or_loss(m.row)}".replace("-", "−")
            parts.append(f"{of} is the extra epoch")
        sentences.append(f"{m.name} {', '.join(parts)}.")
    return sentences


def basis(study: dict) -> str:
    """What all of it rests on."""
    compared = [entry for row in study["rows"] for entry in row["vs"].values()]
    stand = sum(entry["p_holm"] < SIGNIFICANT for entry in compared)
    return (
        f"Better and worse mean that the whole {100 * study['level']:.0f} % interval (Student's t "
        f"over {study['groups']} seed groups) lies on that side of zero; what it crosses is "
        f"undecided, not equal. After Holm's correction over all {len(compared)} comparisons of "
        f"the study, {stand} stand at {SIGNIFICANT:g}. Groups differ in seeds, not in data: "
        "another sample may say otherwise."
    )


def verdicts(study: dict) -> str:
    """How many of the hypotheses were confirmed, refuted, left open; empty without any."""
    parts = []
    for verdict in ("confirmed", "refuted", "undecided"):
        ids = [h["id"] for h in study["hypotheses"] if h["verdict"] == verdict]
        if ids:
            parts.append(f"{len(ids)} {verdict} ({', '.join(ids)})")
    return f"Hypotheses written down beforehand: {', '.join(parts)}." if parts else ""


def _tuned(study: dict) -> list[Mutual]:
    """Each cohort's own mutual arm."""
    first = first_arm(study, "mutual")
    return [m for m in mutuals(study) if m.row["arm"] == first]


def _gains(arms: Iterable[Mutual]) -> list[tuple[str, Found]]:
    return [(m.cohort["name"], m.gain) for m in arms]


def _beyond(arms: Iterable[Mutual]) -> str:
    return _placed((m.cohort["name"], m.beyond) for m in arms if m.beyond)


def _shares(study: dict, arms: Sequence[Mutual]) -> str:
    arms = [m for m in arms if m.control]
    shares = [(m, m.share(study["level"])) for m in arms]
    parts = []
    for whole in ("gain", "loss"):
        told = [
            f"{100 * part.value:.0f} % ({m.cohort['name']})".replace("-", "−")
            for m, part in shares
            if part and gain_or_loss(m.row) == whole
        ]
        if told:
            parts.append(f"of the {whole} {', '.join(told)}")
    torn = [m.cohort["name"] for m, part in shares if part is None]
    if torn:
        parts.append(f"no clear change in {', '.join(torn)}")
    return _sentence(parts)


def _scratch(study: dict) -> str:
    arm = first_arm(study, "scratch")
    rows = [(c["name"], row_of(study, c["name"], arm)) for c in study["cohorts"]]
    return _placed((name, over(row, PRETRAINED)) for name, row in rows if row)


def _later(study: dict) -> str:
    """Read as the AUC of the last epoch judged minus that of the first."""
    arm = first_arm(study, "mutual")
    changes = {c["name"]: after_one(study, c["name"], arm) for c in study["cohorts"]}
    changes = {name: change for name, change in changes.items() if change}
    if not changes:
        return ""
    last = max(epoch for epoch, _ in changes.values())
    words = {"below": "it does in", "above": "it goes on rising in", "open": "undecided in"}
    parts = []
    for side, said in words.items():
        names = [
            f"{name} ({signed(found.value, 5)})"
            for name, (_, found) in changes.items()
            if found.side == side
        ]
        if names:
            parts.append(f"{said} {', '.join(names)}")
    return f"{_sentence(parts)} (AUC after epoch {last} minus after epoch 1)"


def _sizes(study: dict) -> str:
    arm, parts = first_arm(study, "mutual"), []
    for architecture in dict.fromkeys(filter(None, map(same, study["cohorts"]))):
        rows = {
            len(c["architectures"]): row_of(study, c["name"], arm)
            for c in study["cohorts"]
            if same(c) == architecture
        }
        gains = {n: over(row, PRETRAINED).value for n, row in sorted(rows.items()) if row}
        if len(gains) > 1:
            told = ", ".join(f"{n} peers {percent(gain)}" for n, gain in gains.items())
            parts.append(f"{architecture}: {told}")
    return _sentence(parts)


def _placed(found: Iterable[tuple[str, Found]]) -> str:
    """Better in a (+0.30 %); worse in b (−0.10 %); undecided in c (+0.01 %)."""
    words, found = {"above": "better in", "below": "worse in", "open": "undecided in"}, list(found)
    parts = []
    for side, said in words.items():
        names = [f"{name} ({percent(f.value)})" for name, f in found if f.side == side]
        if names:
            parts.append(f"{said} {', '.join(names)}")
    return _sentence(parts)


def _sentence(parts: Sequence[str]) -> str:
    return "; ".join(parts)


def _interval(found: Found) -> str:
    return f"{percent(found.value)} [{percent(found.low)}, {percent(found.high)}]"
