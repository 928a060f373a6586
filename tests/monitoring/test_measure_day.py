"""The measures of a day by hand, and which days are judged by them."""

from math import log

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from monitored_days import ALARMS, FIRST, contract

from mutualctr.data.drift import wilson
from mutualctr.data.event_sql import select_files
from mutualctr.data.snapshot import take_snapshot
from mutualctr.evaluation.drift import ScoreBins
from mutualctr.evaluation.significance import auc_se
from mutualctr.monitoring.join import Joined
from mutualctr.monitoring.measure import measure_day

CONTRACT = contract(with_id=False)


def joined(probability_M, label_M, scored=None, labelled_only=0, model="ctr/1", labelled=()):
    probability_M, label_M = np.array(probability_M, float), np.array(label_M, float)
    probability_B = probability_M if scored is None else np.array(scored, float)
    return Joined(FIRST, model, probability_B, probability_M, label_M, labelled_only, labelled)


def measured(found, reference=None, bins=None, **alarms):
    alarms = ALARMS.model_copy(update=alarms)
    return measure_day(found, reference, bins, CONTRACT, None, alarms)


def test_by_hand():
    found = measured(joined([0.2, 0.4, 0.6, 0.8], [0, 1, 0, 1]))
    assert (found.state, found.rows_matched, found.clicks) == ("judged", 4, 2)
    assert found.predicted_rate == pytest.approx(0.5)
    low, high = wilson(2, 4)
    assert found.observed_rate.model_dump() == {"value": 0.5, "low": low, "high": high}
    assert found.pcoc.value == pytest.approx(1)
    assert (found.pcoc.low, found.pcoc.high) == (
        pytest.approx(0.5 / high),
        pytest.approx(0.5 / low),
    )
    assert found.auc.value == 0.75
    half = 1.959963984540054 * auc_se(np.array([0, 1, 0, 1]), np.array([0.2, 0.4, 0.6, 0.8]))
    assert found.auc.low == pytest.approx(0.75 - half)
    assert found.auc.high == 1.0  # not more
    losses = [-log(0.8), -log(0.4), -log(0.4), -log(0.8)]
    assert found.logloss.value == pytest.approx(np.mean(losses))
    half = 1.959963984540054 * np.std(losses, ddof=1) / 2
    assert found.logloss.low == pytest.approx(np.mean(losses) - half)


def test_no_click_is_an_endless_ratio_and_no_ranking():
    found = measured(joined([0.2] * 400, [0] * 400))
    assert found.pcoc.value is None
    assert found.pcoc.high is None
    assert found.pcoc.low == pytest.approx(0.2 / wilson(0, 400)[1])
    assert found.auc is None
    assert [verdict.rule for verdict in found.crossed] == ["pcoc"]
    assert not measured(joined([0.002] * 400, [0] * 400)).crossed  # one click was to be expected


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (joined([], [], scored=[0.1] * 9), "waiting"),
        (joined([], [], scored=[0.1] * 9, labelled_only=3), "partly labelled"),
        (joined([0.1] * 8, [1] * 8, scored=[0.1] * 9), "partly labelled"),
        (joined([0.1] * 3, [1] * 3), "too few rows"),
        (joined([0.1] * 9, [1] * 9, scored=[0.1] * 10), "judged"),
        (joined([], [], model=None, labelled_only=5), "not scored"),
    ],
)
def test_days_that_are_not_judged_cross_nothing(found, state):
    day = measured(found)
    assert day.state == state
    if state != "judged":
        assert day.verdicts == ()
    if state in ("waiting", "not scored"):
        assert (day.observed_rate, day.pcoc, day.auc, day.logloss) == (None,) * 4


def test_a_few_clicks_prove_nothing():
    few = measured(joined([0.1] * 10, [1, 1, 1] + [0] * 7), auc_at_least=None)
    assert few.pcoc.value == pytest.approx(1 / 3)
    assert not few.crossed
    many = measured(joined([0.1] * 1000, ([1, 1, 1] + [0] * 7) * 100), auc_at_least=0.5)
    assert many.pcoc.value == pytest.approx(1 / 3)
    assert [verdict.rule for verdict in many.crossed] == ["pcoc"]


def test_probabilities_are_judged_without_labels():
    bins = ScoreBins.of(np.linspace(0.01, 0.99, 100))
    same = joined([], [], scored=np.linspace(0.01, 0.99, 50))
    moved = joined([], [], scored=np.linspace(0.5, 0.99, 50))
    assert measured(same, bins=bins).crossed == []
    assert [v.rule for v in measured(moved, bins=bins).crossed] == ["probability_psi"]
    assert measured(moved, bins=bins, rows_at_least=51).verdicts == ()
    assert measured(moved, bins=bins, probability_psi_at_most=None).verdicts == ()


def colours(path, *values):
    table = {"row": pa.array(range(1, len(values) + 1), pa.int64()),
             "click": pa.array([0] * len(values), pa.int64()), "colour": values}  # fmt: skip
    pq.write_table(pa.table(table), path)
    return path


def test_columns_are_held_against_what_the_version_was_trained_on(tmp_path):
    before = colours(tmp_path / "before.parquet", *(["red", "blue"] * 50))
    reference = take_snapshot(select_files([before], None), CONTRACT)
    same = measured(joined([0.5] * 4, [0, 1, 0, 1], labelled=(before,)), reference)
    assert same.columns[0].psi == 0
    now = colours(tmp_path / "now.parquet", *(["red"] * 50), *(["gold"] * 50))
    moved = measured(joined([0.5, 0.6] * 2, [0, 1, 0, 1], labelled=(now,)), reference)
    assert moved.worst_column.column == "colour"
    assert moved.columns[0].unseen_share == 0.5
    assert [v.rule for v in moved.crossed] == ["psi", "unseen_share"]
    assert "colour 0.500" in moved.crossed[1].found
    waiting = measured(joined([], [], scored=[0.1] * 9, labelled=()), reference)
    assert waiting.columns == ()
