import numpy as np
import pytest

from mutualctr.evaluation.agreement import agreement
from mutualctr.evaluation.ensemble import mean_probability


def test_two_peers_by_hand():
    # |0.1 − 0.3| |0.4 − 0.2| |0.8 − 0.9| |0.2 − 0.6|: mean 0.9/4
    # click rate ¼: rows 0.1|0.3 and 0.4|0.2 and 0.2|0.6 lie on different sides: churn ¾
    label_B = np.array([0, 0, 1, 0])
    probability_NB = np.array([[0.1, 0.4, 0.8, 0.2], [0.3, 0.2, 0.9, 0.6]])
    found = agreement(label_B, probability_NB)
    assert found.mean_abs_difference == pytest.approx(0.225)
    assert found.churn == 0.75


def test_three_peers_average_their_pairs():
    draw = np.random.default_rng(0)
    label_B = draw.integers(0, 2, 200)
    probability_NB = draw.uniform(0.05, 0.95, (3, 200))
    pairs = [agreement(label_B, probability_NB[[i, j]]) for i, j in ((0, 1), (0, 2), (1, 2))]
    found = agreement(label_B, probability_NB)
    for name in ("mean_abs_difference", "logit_correlation", "error_correlation", "churn"):
        mean = np.mean([getattr(pair, name) for pair in pairs])
        assert getattr(found, name) == pytest.approx(mean)


def test_correlations_against_their_definition():
    draw = np.random.default_rng(1)
    label_B = draw.integers(0, 2, 300)
    logit_NB = draw.normal(size=300) + draw.normal(size=(2, 300))
    probability_NB = 1 / (1 + np.exp(-logit_NB))
    found = agreement(label_B, probability_NB)
    assert found.logit_correlation == pytest.approx(np.corrcoef(logit_NB)[0, 1])
    error_NB = label_B - probability_NB
    assert found.error_correlation == pytest.approx(np.corrcoef(error_NB)[0, 1])


def test_the_same_peer_twice_agrees_wholly():
    probability_B = np.array([0.0, 0.2, 0.7, 1.0])  # certainty has a finite logit here
    found = agreement(np.array([0, 1, 0, 1]), np.stack([probability_B, probability_B]))
    assert (found.mean_abs_difference, found.churn) == (0, 0)
    assert found.logit_correlation == pytest.approx(1)
    assert found.error_correlation == pytest.approx(1)


def test_a_constant_peer_has_no_correlation():
    found = agreement(np.array([0, 1, 1]), np.array([[0.3, 0.3, 0.3], [0.1, 0.5, 0.6]]))
    assert found.logit_correlation is None


def test_one_peer_is_refused():
    with pytest.raises(AssertionError, match="nobody"):
        agreement(np.array([0, 1]), np.array([[0.3, 0.4]]))


def test_ensemble_is_the_plain_mean():
    # (0.2 + 0.4)/2, (0.9 + 0.3)/2: of probabilities, not of logits
    mean_B = mean_probability(np.array([[0.2, 0.9], [0.4, 0.3]]))
    np.testing.assert_allclose(mean_B, [0.3, 0.6])
