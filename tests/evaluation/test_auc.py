import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mutualctr.errors import DataError
from mutualctr.evaluation.auc import auc, relaimp, wins


def brute_force(label_B, score_B):
    """Equation 4 as printed, pair by pair, with ½ for a tie."""
    clicks, others = score_B[label_B == 1], score_B[label_B == 0]
    won = sum(1.0 if n < p else 0.5 if n == p else 0.0 for p in clicks for n in others)
    return won / (len(clicks) * len(others))


# Few distinct scores, so that ties are the rule.
labelled_scores = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=2, max_size=40
).filter(lambda rows: len({label for label, _ in rows}) == 2)


def split(rows):
    label_B, score_B = np.array(rows).T
    return label_B, score_B.astype(np.float64)


def test_hand_without_and_with_a_tie():
    # clicks 0.9 0.4, non-clicks 0.5 0.1: 0.9 wins twice, 0.4 once: 3 of 4
    assert auc(np.array([1, 0, 1, 0]), np.array([0.9, 0.5, 0.4, 0.1])) == 0.75
    # clicks 0.9 0.5, non-clicks 0.5 0.1: 2 + (½ + 1) of 4
    assert auc(np.array([1, 0, 1, 0]), np.array([0.9, 0.5, 0.5, 0.1])) == 0.875


def test_wins_of_each_row_by_hand():
    # scores 1 2 2 3, labels 0 1 0 1. The click 2 beats 1 and ties 2: 1.5; the click 3 beats both.
    # The non-click 1 lies below both clicks: 2; the non-click 2 ties one and lies below 3: 1.5.
    won_B = wins(np.array([False, True, False, True]), np.array([1.0, 2.0, 2.0, 3.0]))
    assert won_B.tolist() == [2, 1.5, 1.5, 2]


def test_constant_score_is_a_coin():
    assert auc(np.array([0, 1, 1]), np.zeros(3)) == 0.5


@given(labelled_scores)
def test_equals_every_pair_compared(rows):
    label_B, score_B = split(rows)
    assert auc(label_B, score_B) == brute_force(label_B, score_B)


@given(labelled_scores)
def test_equals_scikit_learn(rows):
    label_B, score_B = split(rows)
    assert auc(label_B, score_B) == pytest.approx(roc_auc_score(label_B, score_B), abs=1e-12)


@given(labelled_scores)
def test_equals_the_mid_rank_formula(rows):
    label_B, score_B = split(rows)
    rank_B = (score_B[:, None] > score_B).sum(1) + ((score_B[:, None] == score_B).sum(1) + 1) / 2
    m, n = (label_B == 1).sum(), (label_B == 0).sum()
    by_rank = (rank_B[label_B == 1].sum() - m * (m + 1) / 2) / (m * n)
    assert auc(label_B, score_B) == pytest.approx(by_rank, abs=1e-12)


@given(labelled_scores)
def test_only_the_order_counts_and_a_reversed_score_mirrors(rows):
    label_B, score_B = split(rows)
    assert auc(label_B, np.exp(score_B)) == auc(label_B, score_B)
    assert auc(label_B, -score_B) == pytest.approx(1 - auc(label_B, score_B), abs=1e-12)


@settings(derandomize=True)
@given(labelled_scores, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_count(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert auc(*split(shuffled)) == auc(*split(rows))


def test_equals_scikit_learn_on_many_rows():
    draw = np.random.default_rng(0)
    label_B = draw.integers(0, 2, 50_000)
    score_B = np.round(draw.normal(size=50_000) + 0.8 * label_B, 2)  # 2 decimals: many ties
    assert auc(label_B, score_B) == pytest.approx(roc_auc_score(label_B, score_B), abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_auc(label):
    with pytest.raises(DataError, match="needs clicks and non-clicks"):
        auc(np.full(3, label), np.arange(3.0))


@pytest.mark.parametrize("bad", [2, 0.5, np.nan])
def test_labels_are_zero_or_one(bad):
    with pytest.raises(DataError, match="must be 0 or 1"):
        auc(np.array([0, 1, bad]), np.arange(3.0))


def test_nan_has_no_rank():
    with pytest.raises(DataError, match="row 1 is NaN"):
        auc(np.array([0, 1]), np.array([0.5, np.nan]))


def test_relaimp_by_hand():
    # 0.77 − 0.5 = 0.27 against 0.75 − 0.5 = 0.25: 0.27/0.25 − 1 = 0.08
    assert relaimp(0.77, 0.75) == pytest.approx(0.08)
    assert relaimp(0.75, 0.75) == 0


def test_relaimp_of_the_papers_criteo_deepfm():
    # Table 1, means of four: 0.81207 alone, 0.81297 finetuned: 0.31297/0.31207 − 1 = 0.29 %
    assert relaimp(0.81297, 0.81207) == pytest.approx(0.0029, abs=5e-5)


def test_relaimp_against_a_coin_is_undefined():
    with pytest.raises(DataError, match="undefined"):
        relaimp(0.7, 0.5)
