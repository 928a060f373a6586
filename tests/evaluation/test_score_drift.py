"""PSI: by hand, and what it must not depend on."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.evaluation.drift import PSI_FLOOR, ScoreBins, psi


def test_by_hand():
    # Ten bins of one row each; then everything that was in the lowest bin is in the highest.
    expected_B = np.arange(10) / 10
    observed_B = np.array([0.95, *expected_B[1:]])
    low = (PSI_FLOOR - 0.1) * log(PSI_FLOOR / 0.1)
    high = (0.2 - 0.1) * log(0.2 / 0.1)
    assert psi(expected_B, observed_B) == pytest.approx(low + high)


def test_equal_scores_and_constant_scores():
    score_B = np.random.default_rng(1).random(500)
    assert psi(score_B, score_B) == 0
    assert psi(np.full(9, 0.2), np.full(4, 0.2)) == 0
    assert psi(np.full(9, 0.2), np.full(4, 0.3)) > 5


@given(st.integers(0, 2**31), st.floats(0.5, 2))
def test_it_is_not_negative_and_order_and_scale_do_not_matter(seed, power):
    draw = np.random.default_rng(seed)
    expected_B, observed_B = draw.random(200), draw.random(150) ** power
    value = psi(expected_B, observed_B)
    assert value >= 0
    assert psi(draw.permutation(expected_B), draw.permutation(observed_B)) == pytest.approx(value)
    assert psi(3 * expected_B, 3 * observed_B) == pytest.approx(value)


def test_bins_that_were_written_down_give_the_same_index():
    draw = np.random.default_rng(4)
    expected_B, observed_B = draw.random(700), draw.random(300) ** 2
    kept = ScoreBins.model_validate_json(ScoreBins.of(expected_B).model_dump_json())
    assert kept.psi(observed_B) == psi(expected_B, observed_B) > 0
    assert sum(kept.shares) == pytest.approx(1)
