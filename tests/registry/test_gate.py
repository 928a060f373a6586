"""Every rule of the gate, by hand, on both sides of its bound."""

import numpy as np
import pytest
import yaml

from mutualctr.config import PromotionConfig
from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.calibration import logloss
from mutualctr.evaluation.significance import Interval
from mutualctr.evaluation.wording import of_days
from mutualctr.registry import gate
from mutualctr.registry.choice import Candidate, choose
from mutualctr.registry.fresh import Answer

LABEL_B = np.array([0, 0, 1, 0, 1, 1, 0, 1])
GOOD_B = np.array([0.2, 0.3, 0.8, 0.3, 0.7, 0.9, 0.1, 0.6])  # AUC 1, PCOC 3.9 / 4
BAD_B = np.array([0.2, 0.9, 0.8, 0.3, 0.1, 0.9, 0.1, 0.6])


def config(**changes) -> PromotionConfig:
    content = {
        "choose": "best",
        "tolerance": 0.001,
        "embeddings": "fp32",
        "auc_at_least": 0.9,
        "level": 0.95,
        "auc_gain_at_least": -0.1,
        "logloss_rise_at_most": 0.01,
        "psi_at_most": 0.5,
        "pcoc": {"low": 0.9, "high": 1.1},
        "latency": {"rows": 1, "calls": 10, "p50_ms_at_most": 5, "p99_ms_at_most": 9},
        "smoke": {"rows": 4, "tolerance": 1e-6},
    }
    return PromotionConfig.model_validate(content | changes)


def evidence(challenger_B=GOOD_B, champion_B=None, smoke_S=None, p50=1.0, p99=2.0):
    smoke_S = challenger_B[:4] if smoke_S is None else smoke_S
    return gate.Evidence(LABEL_B, challenger_B, champion_B, Answer(smoke_S, 1.0, p50, p99))


def passed(verdicts) -> dict[str, bool]:
    return {verdict.rule: verdict.passed for verdict in verdicts}


def test_a_good_model_keeps_the_absolute_rules():
    verdicts = gate.absolute(evidence(), config())
    assert passed(verdicts) == {"smoke": True, "auc": True, "pcoc": True, "latency": True}
    numbers = {verdict.rule: verdict.numbers for verdict in verdicts}
    assert numbers["auc"] == {"auc": 1.0}
    assert numbers["pcoc"]["pcoc"] == pytest.approx(3.9 / 4)
    assert numbers["latency"] == {"p50_ms": 1.0, "p99_ms": 2.0}


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("smoke", evidence(smoke_S=GOOD_B[:4] + 2e-6)),
        ("auc", evidence(BAD_B)),
        ("pcoc", evidence(GOOD_B / 2)),
        ("latency", evidence(p50=5.1)),
        ("latency", evidence(p99=9.1)),
    ],
)
def test_each_absolute_rule_can_fail_alone(rule, given):
    found = passed(gate.absolute(given, config()))
    assert [name for name, kept in found.items() if not kept] == [rule]


def test_a_nan_never_passes():
    broken = evidence(smoke_S=np.array([np.nan, *GOOD_B[1:4]]), p50=float("nan"))
    found = passed(gate.absolute(broken, config()))
    assert not found["smoke"]
    assert not found["latency"]


def test_the_same_probabilities_are_as_good_as_the_champion():
    verdicts = gate.relative(evidence(champion_B=GOOD_B), config(auc_gain_at_least=0.0))
    kept = {"rows": True, "auc_gain": True, "logloss": True, "score_drift": True}
    assert passed(verdicts) == kept
    (rows, gain, rise, drift) = (verdict.numbers for verdict in verdicts)
    assert rows == {"rows": 8, "clicks": 4, "half": 0}
    assert (gain["delta"], gain["low"], rise["rise"], drift["psi"]) == (0, 0, 0, 0)


def test_a_worse_challenger_fails_by_the_lower_end_of_its_interval():
    verdicts = gate.relative(evidence(BAD_B, champion_B=GOOD_B), config())
    gain = verdicts[1].numbers
    assert gain["delta"] == auc(LABEL_B, BAD_B) - 1
    assert gain["low"] < gain["delta"] < gain["high"]
    assert not verdicts[1].passed
    # the point estimate is allowed, its uncertainty is not
    barely = config(auc_gain_at_least=gain["delta"] - 1e-6)
    assert not gate.relative(evidence(BAD_B, champion_B=GOOD_B), barely)[1].passed
    wide = config(auc_gain_at_least=gain["low"] - 1e-6)
    assert gate.relative(evidence(BAD_B, champion_B=GOOD_B), wide)[1].passed


def test_logloss_and_drift_have_bounds():
    given = evidence(GOOD_B**2, champion_B=GOOD_B)
    rise = logloss(LABEL_B, GOOD_B**2) - logloss(LABEL_B, GOOD_B)
    assert rise > 0.04
    verdicts = gate.relative(given, config())
    kept = {"rows": True, "auc_gain": True, "logloss": False, "score_drift": False}
    assert passed(verdicts) == kept
    assert verdicts[2].numbers["rise"] == pytest.approx(rise)


@pytest.mark.parametrize(
    ("low", "high", "at_least", "enough"),
    [
        (-0.012, 0.012, -0.005, False),  # an equal challenger fails: the rows say nothing
        (-0.004, 0.004, -0.005, True),
        (0.006, 0.030, -0.005, True),  # as wide, and clearly better
        (-0.04, -0.016, -0.005, True),  # as wide, and clearly worse
        (-0.006, 0.002, -0.005, True),  # worse, though an equal one would have passed
        (-0.012, 0.012, 0.0, True),  # nobody asks for equality
    ],
)
def test_too_few_rows_are_no_verdict(low, high, at_least, enough):
    gain = Interval((low + high) / 2, 0.0, low, high)
    verdict = gate.enough_rows(1000, 250, gain, at_least)
    assert verdict.passed == enough
    assert verdict.found.startswith("1,000 rows, 250 clicks: ± ")
    assert ("about 5,800 rows are needed" in verdict.found) == (not enough)


def test_days_in_words():
    assert of_days([]) == ""
    assert of_days(["2026-03-07"]) == " of 2026-03-07"
    assert of_days(["2026-03-06", "2026-03-07"]) == " of 2 days, 2026-03-06 to 2026-03-07"


def test_what_a_person_took_back_stays_back():
    assert gate.not_rolled_back(None).passed
    assert not gate.not_rolled_back("2026-01-01 by hand").passed


def candidate(peer: str, dev_auc: float, us: float) -> Candidate:
    return Candidate(
        peer=peer, architecture="dcn", dev_auc=dev_auc, model_us_per_row=us, weights_bytes=1
    )


CANDIDATES = [
    candidate("slow", 0.7020, 9.0),
    candidate("quick", 0.7014, 2.08),
    candidate("quickest", 0.7012, 2.0),
    candidate("poor", 0.6900, 1.0),
]


@pytest.mark.parametrize(
    ("how", "tolerance", "chosen"),
    [
        ("best", 0.1, "slow"),
        ("cheapest_within", 0.0, "slow"),
        ("cheapest_within", 0.001, "quick"),  # 4 % are no difference, so the better of the two
        ("cheapest_within", 0.1, "poor"),
    ],
)
def test_the_choice(how, tolerance, chosen):
    position = choose(CANDIDATES, config(choose=how, tolerance=tolerance))
    assert CANDIDATES[position].peer == chosen


def test_bounds_have_an_order():
    with pytest.raises(ValueError, match="`low` \\(2\\) is above `high` \\(1\\)"):
        config(pcoc=yaml.safe_load("{low: 2, high: 1}"))
