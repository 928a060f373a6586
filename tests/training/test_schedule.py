"""One tenth in three epochs."""

import pytest

from mutualctr.training.schedule import learning_rate


def test_the_paper_s_finetune_epoch():
    # 7e-4 · 10^(−1/3) = 7e-4 · .464159 = 3.24911e-4; after three epochs a tenth
    assert learning_rate(7e-4, 0) == 7e-4
    assert learning_rate(7e-4, 1) == pytest.approx(3.24911e-4, rel=1e-5)
    assert learning_rate(7e-4, 3) == pytest.approx(7e-5)


def test_it_falls_within_an_epoch():
    # half an epoch: 10^(−1/6) = .681292
    assert learning_rate(1.0, 0.5) == pytest.approx(0.681292, rel=1e-6)
