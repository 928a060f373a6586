"""The study's statistics: by hand on tiny scores, and against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from mutualctr.evaluation.auc import auc, relaimp
from mutualctr.evaluation.significance import holm
from mutualctr.study.config import ENSEMBLE, PRETRAINED, Hypothesis
from mutualctr.study.hypotheses import verdict
from mutualctr.study.measure import Judged, Place, Study

ROWS, PEERS, GROUPS = 400, 3, 4


def world(seed=0, skill=None):
    """Noisy views of one truth; `skill` says how much of it each arm sees."""
    skill = skill or {PRETRAINED: 0.6, "control": 0.8, "mutual": 1.2}
    rng = np.random.default_rng(seed)
    truth_R = rng.normal(size=ROWS)
    label_R = (rng.random(ROWS) < 1 / (1 + np.exp(-truth_R))).astype(np.uint8)
    judged = {}
    for arm, amount in skill.items():
        groups = []
        for _ in range(GROUPS):
            logit_NR = amount * truth_R + rng.normal(size=(PEERS, ROWS))
            groups.append(Judged(1 / (1 + np.exp(-logit_NR)), served=1))
        judged[Place("c", arm, 0 if arm == PRETRAINED else 1)] = groups
    return judged, label_R


def test_holm_by_hand():
    # sorted .01 .02 .04 → 3·.01, 2·.02, 1·.04, and never less than what came before
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_value_and_bonferronis(p_K):
    for p, adjusted in zip(p_K, holm(p_K), strict=True):
        assert p <= adjusted <= min(1.0, len(p_K) * p) + 1e-15


def test_relaimp_is_over_the_groups_mean_peers():
    judged, label_R = world()
    study = Study(judged, label_R)
    found = study.compare(Place("c", "mutual", 1), "control")
    by_hand = []
    for one, other in zip(*(judged[Place("c", a, 1)] for a in ("mutual", "control")), strict=True):
        mean = [np.mean([auc(label_R, p_R) for p_R in g.probability_NR]) for g in (one, other)]
        by_hand.append(relaimp(*mean))
    assert found["relaimps"] == pytest.approx(by_hand)
    assert found["relaimp"] == pytest.approx(np.mean(by_hand))
    assert found["low"] < found["relaimp"] < found["high"]


def test_p_is_students_paired_test():
    judged, label_R = world()
    study = Study(judged, label_R)
    mutual, start = Place("c", "mutual", 1), Place("c", PRETRAINED, 0)
    expected = ttest_rel(study.auc_G(mutual), study.auc_G(start)).pvalue
    assert study.compare(mutual, PRETRAINED)["p"] == pytest.approx(expected)


def test_the_ensemble_as_a_base_is_the_mean_probability():
    judged, label_R = world()
    study = Study(judged, label_R)
    start = Place("c", PRETRAINED, 0)
    found = study.compare(start, ENSEMBLE)
    ensemble = auc(label_R, judged[start][0].probability_NR.mean(axis=0))
    single = np.mean([auc(label_R, p_R) for p_R in judged[start][0].probability_NR])
    assert found["relaimps"][0] == pytest.approx(relaimp(single, ensemble))
    assert found["delong"][0]["delta"] == pytest.approx(single - ensemble)
    assert found["relaimp"] < 0  # averaging noisy views helps


def test_the_share_of_a_gain_by_hand():
    judged, label_R = world()
    study = Study(judged, label_R)
    found = study.share(Place("c", "mutual", 1), "control")
    start, control, mutual = (
        study.auc_G(Place("c", arm, epoch))
        for arm, epoch in ((PRETRAINED, 0), ("control", 1), ("mutual", 1))
    )
    assert found["shares"] == pytest.approx(((control - start) / (mutual - start)).tolist())
    same = study.share(Place("c", PRETRAINED, 0), PRETRAINED)
    assert np.isnan(same["share"])  # no gain has no share


def test_the_table_compares_all_that_can_be_compared_and_adjusts_over_all():
    judged, label_R = world()
    study = Study(judged, label_R)
    rows = study.table(study.places(), [PRETRAINED, "control", ENSEMBLE])
    compared = {(row["arm"], base) for row in rows for base in row["vs"]}
    assert compared == {
        (PRETRAINED, ENSEMBLE),
        ("control", PRETRAINED),
        ("control", ENSEMBLE),
        ("mutual", PRETRAINED),
        ("mutual", "control"),
        ("mutual", ENSEMBLE),
    }
    p = [entry["p"] for row in rows for entry in row["vs"].values()]
    assert [e["p_holm"] for row in rows for e in row["vs"].values()] == holm(p)


@pytest.mark.parametrize(
    ("side", "threshold", "expected"),
    [
        ("above", 0.0, "confirmed"),
        ("below", 0.0, "refuted"),
        ("above", 9.0, "refuted"),
        ("below", 9.0, "confirmed"),
    ],
)
def test_a_hypothesis_far_from_its_threshold_is_decided(side, threshold, expected):
    study = Study(*world())
    h = Hypothesis(
        id="H",
        text="",
        cohort="c",
        measure="relaimp",
        arm="mutual",
        base=PRETRAINED,
        side=side,
        threshold=threshold,
    )
    assert verdict(h, study)["verdict"] == expected


def test_a_threshold_inside_the_interval_decides_nothing():
    study = Study(*world())
    inside = study.compare(Place("c", "mutual", 1), PRETRAINED)["relaimp"]
    h = Hypothesis(
        id="H",
        text="",
        cohort="c",
        measure="relaimp",
        arm="mutual",
        base=PRETRAINED,
        side="above",
        threshold=inside,
    )
    assert verdict(h, study)["verdict"] == "undecided"
