import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from mutualctr.errors import DataError
from mutualctr.evaluation.calibration import (
    RELIABILITY_BINS,
    ReliabilityPoint,
    ece,
    logloss,
    pcoc,
    reliability,
)


def test_logloss_by_hand():
    # −(ln 0.8 + ln(1 − 0.4))/2 = (0.223144 + 0.510826)/2
    assert logloss(np.array([1, 0]), np.array([0.8, 0.4])) == pytest.approx(0.366985, abs=1e-6)


def test_logloss_of_certainty_is_finite_and_scikit_learns():
    label_B, probability_B = np.array([0, 1, 1, 0]), np.array([0.0, 1.0, 0.0, 0.3])
    ours = logloss(label_B, probability_B)
    # the certain mistake costs −ln ε = 36.04, a quarter of it in the mean
    assert ours == pytest.approx((36.0437 - np.log(0.7)) / 4, abs=1e-4)
    assert ours == pytest.approx(log_loss(label_B, probability_B), rel=1e-12)


def test_pcoc_by_hand():
    # predicted 0.2 + 0.4 + 0.6 + 0.3 = 1.5 clicks, observed 1
    assert pcoc(np.array([0, 1, 0, 0]), np.array([0.2, 0.4, 0.6, 0.3])) == pytest.approx(1.5)


def test_pcoc_needs_a_click():
    with pytest.raises(DataError, match="needs clicks"):
        pcoc(np.zeros(4), np.full(4, 0.2))


def test_ece_by_hand():
    # |0.5 − 0.2|·10 + |0.8 − 0.9|·30 = 3 + 3 over 40 rows
    points = [ReliabilityPoint(0.2, 0.5, 10), ReliabilityPoint(0.9, 0.8, 30)]
    assert ece(points) == pytest.approx(0.15)


def test_distinct_probabilities_fill_bins_evenly():
    probability_B = np.arange(1, 61) / 100
    label_B = np.r_[np.zeros(57), 1, 0, 1]
    points = reliability(label_B, probability_B)
    assert [point.rows for point in points] == [3] * RELIABILITY_BINS
    assert points[0].predicted == pytest.approx(0.02)  # (0.01 + 0.02 + 0.03)/3
    assert points[-1].observed == pytest.approx(2 / 3)


def test_ties_go_where_their_middle_lies():
    # 1 row at 0.1: mid-rank − ½ = 0.5 of 40, bin 0. 39 rows at 0.9: 1 + 19.5 = 20.5, bin 10.
    points = reliability(np.r_[0, np.ones(39)], np.r_[0.1, np.full(39, 0.9)])
    assert [point.rows for point in points] == [1, 39]


def test_a_constant_probability_is_one_bin_whatever_the_order():
    label_B = np.r_[
        np.ones(25), np.zeros(75)
    ]  # sorted: cut by position it would look miscalibrated
    points = reliability(label_B, np.full(100, 0.25))
    assert points == [ReliabilityPoint(0.25, 0.25, 100)]
    assert ece(points) == 0


@settings(derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=1, max_size=80),
    st.randoms(use_true_random=False),
)
def test_bins_keep_every_row_and_click_in_any_order(rows, random):
    label_B, tenth_B = np.array(rows).T
    points = reliability(label_B, tenth_B / 9)
    assert sum(point.rows for point in points) == len(rows)
    assert sum(point.rows * point.observed for point in points) == pytest.approx(label_B.sum())
    assert sum(point.rows * point.predicted for point in points) == pytest.approx(
        (tenth_B / 9).sum()
    )
    predicted = [point.predicted for point in points]
    assert predicted == sorted(predicted)
    shuffled_label_B, shuffled_tenth_B = np.array(random.sample(rows, len(rows))).T
    assert reliability(shuffled_label_B, shuffled_tenth_B / 9) == points


def test_clicks_drawn_from_the_probability_have_little_ece_and_shifted_ones_the_shift():
    draw = np.random.default_rng(0)
    probability_B = draw.beta(2, 6, 40_000)
    label_B = (draw.random(40_000) < probability_B).astype(int)
    # a bin of 2000 rows knows its rate to √(0.19/2000) ≈ 0.01; the mean |error| is below that
    assert ece(reliability(label_B, probability_B)) < 0.01
    assert ece(reliability(label_B, np.minimum(probability_B + 0.1, 1))) == pytest.approx(
        0.1, abs=0.01
    )
