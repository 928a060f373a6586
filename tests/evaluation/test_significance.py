import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.errors import DataError
from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.significance import auc_se, delong, group_interval, paired_delong


def brute_force(label_B, score_KB):
    """DeLong, DeLong & Clarke-Pearson's definition: the kernel of every pair, O(m·n)."""
    kernels = []
    for score_B in score_KB:
        click_m1, other_1n = score_B[label_B == 1][:, None], score_B[label_B == 0][None]
        kernels.append((click_m1 > other_1n) + (click_m1 == other_1n) / 2)
    kernel_Kmn = np.stack(kernels)
    m, n = kernel_Kmn.shape[1:]
    by_click = np.atleast_2d(np.cov(kernel_Kmn.mean(axis=2)))
    by_other = np.atleast_2d(np.cov(kernel_Kmn.mean(axis=1)))
    return kernel_Kmn.mean(axis=(1, 2)), by_click / m + by_other / n


def correlated(rows, peers, gain=0.0, seed=0):
    """Labels, and 2·peers scores: the first half sees the click a little better."""
    draw = np.random.default_rng(seed)
    latent_B = draw.normal(size=rows)
    label_B = (draw.random(rows) < 1 / (1 + np.exp(1 - latent_B))).astype(int)
    score_KB = latent_B + 0.7 * draw.normal(size=(2 * peers, rows))
    score_KB[:peers] += gain * label_B
    return label_B, score_KB


def test_hand():
    # Clicks 3 1, non-clicks 2 0. Wins of clicks / n: 3 → 2/2, 1 → 1/2; mean 3/4, variance 1/8.
    # Wins of non-clicks / m: 2 → 1/2, 0 → 2/2; variance 1/8. Var(AUC) = (1/8)/2 + (1/8)/2 = 1/8.
    label_B, score_B = np.array([1, 1, 0, 0]), np.array([3.0, 1.0, 2.0, 0.0])
    assert auc_se(label_B, score_B) == pytest.approx((1 / 8) ** 0.5)
    # Against a perfect score, whose components are all 1 and so never vary: Δ = −1/4, same SE;
    # at 95 %, −0.25 ± 1.959964·0.353553.
    interval = paired_delong(label_B, score_B, np.array([3.0, 2.0, 1.0, 0.0]), 0.95)
    assert interval.delta == pytest.approx(-0.25)
    assert interval.se == pytest.approx((1 / 8) ** 0.5)
    assert interval.low == pytest.approx(-0.25 - 1.959964 * 0.353553, abs=1e-5)
    assert interval.high == pytest.approx(-0.25 + 1.959964 * 0.353553, abs=1e-5)


scored_rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)),
    min_size=4,
    max_size=30,
).filter(lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2)


@given(scored_rows)
def test_equals_every_pair_compared_with_ties(rows):
    columns = np.array(rows, dtype=np.float64).T
    label_B, score_KB = columns[0], columns[1:]
    measured = delong(label_B, score_KB)
    auc_K, covariance_KK = brute_force(label_B, score_KB)
    np.testing.assert_allclose(measured.auc_K, auc_K, atol=1e-12)
    np.testing.assert_allclose(measured.covariance_KK, covariance_KK, atol=1e-12)


def test_a_peer_against_itself_has_no_doubt():
    label_B, score_KB = correlated(500, 1)
    interval = paired_delong(label_B, score_KB[0], score_KB[0], 0.95)
    assert (interval.delta, interval.low, interval.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_mean_over_peers_uses_the_whole_covariance():
    label_B, score_KB = correlated(400, 3, gain=0.2)
    contrast_K = np.repeat([1 / 3, -1 / 3], 3)
    interval = delong(label_B, score_KB).interval(contrast_K, 0.9)
    auc_K, covariance_KK = brute_force(label_B, score_KB)
    assert interval.delta == pytest.approx(auc_K[:3].mean() - auc_K[3:].mean())
    variance = sum(
        contrast_K[i] * contrast_K[j] * covariance_KK[i, j] for i in range(6) for j in range(6)
    )
    assert interval.se == pytest.approx(variance**0.5)
    assert interval.high - interval.delta == pytest.approx(1.644854 * interval.se, rel=1e-5)
    # Peers that see the same rows vary together: taken for independent, the SE is another.
    alone = (contrast_K**2 @ np.diag(covariance_KK)) ** 0.5
    assert abs(interval.se / alone - 1) > 0.1


def test_agrees_with_the_bootstrap():
    label_B, score_KB = correlated(2000, 1, gain=0.3)
    draw = np.random.default_rng(1)
    deltas = []
    for _ in range(400):
        row_B = draw.integers(0, 2000, 2000)
        deltas.append(
            auc(label_B[row_B], score_KB[0, row_B]) - auc(label_B[row_B], score_KB[1, row_B])
        )
    interval = paired_delong(label_B, *score_KB, 0.95)
    # 400 draws know an SD to 1/√800 = 3.5 %; 15 % is four of those
    assert interval.se == pytest.approx(np.std(deltas, ddof=1), rel=0.15)


def test_a_true_zero_is_covered_as_often_as_promised():
    missed = 0
    for seed in range(300):
        label_B, score_KB = correlated(300, 2, seed=seed)
        interval = delong(label_B, score_KB).interval(np.array([0.5, 0.5, -0.5, -0.5]), 0.9)
        missed += not interval.low <= 0 <= interval.high
    assert 15 <= missed <= 48  # 30 expected, SD √(300·0.1·0.9) = 5.2


def test_two_rows_of_each_class_are_needed():
    with pytest.raises(DataError, match="1 clicks and 2 non-clicks"):
        auc_se(np.array([1, 0, 0]), np.arange(3.0))


def test_group_interval_by_hand():
    # 1 2 3: mean 2, sd 1, SE 1/√3 = 0.57735; t(2 df, 97.5 %) = 4.30265; half 2.48414
    interval = group_interval([1.0, 2.0, 3.0], 0.95)
    assert interval.delta == 2
    assert interval.se == pytest.approx(0.5773503)
    assert interval.low == pytest.approx(2 - 2.484138, abs=1e-5)
    assert interval.high == pytest.approx(2 + 2.484138, abs=1e-5)


def test_one_group_has_no_interval():
    with pytest.raises(AssertionError, match="one group"):
        group_interval([0.1], 0.95)
