"""When an alarm begins, what it is told of, and what is no alarm at all."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitored_days import ALARMS

from mutualctr.monitoring.alarms import begins_for, crossings, new_alarms
from mutualctr.monitoring.days import Day
from mutualctr.registry.gate import Verdict


def day(number: int, model: str = "ctr/1", state: str = "judged", **passed: bool) -> Day:
    """A day with a verdict of each rule."""
    nothing = dict.fromkeys(
        ("predicted_rate", "observed_rate", "pcoc", "logloss", "auc", "probability_psi")
    )
    verdicts = [
        Verdict(rule=rule, asks="", found="", passed=kept, numbers={})
        for rule, kept in passed.items()
    ]
    return Day(
        day=date(2026, 3, number), model=model, state=state, rows_scored=9, rows_matched=9,
        labelled_only=0, clicks=1, columns=(), verdicts=verdicts, **nothing,
    )  # fmt: skip


def told(days, *earlier):
    """(rules told of, whether a retraining begins, keys known afterwards)."""
    known = {entry.key for entry in earlier}
    new = [(entry.day.day, entry.rule) for entry in new_alarms(days, known)]
    return new, begins_for("ctr/1", days, known), crossings(days)


def test_one_alarm_for_a_series_and_another_after_a_good_day():
    days = [day(n, pcoc=good) for n, good in enumerate((True, False, False, True, False), 1)]
    new, begins, seen = told(days)
    assert (new, begins) == ([(2, "pcoc"), (5, "pcoc")], True)
    assert told(days, *seen)[:2] == ([], False)


def test_the_series_goes_on_when_its_beginning_left_the_window():
    _, _, seen = told([day(1, pcoc=False), day(2, pcoc=False)])
    later = [day(2, pcoc=False), day(3, pcoc=False)]
    assert told(later, *seen)[:2] == ([], False)


def test_another_measure_is_told_and_starts_nothing_more():
    _, _, seen = told([day(1, pcoc=False, auc=True)])
    days = [day(1, pcoc=False, auc=True), day(2, pcoc=False, auc=False)]
    assert told(days, *seen)[:2] == ([(2, "auc")], False)


def test_days_that_wait_neither_end_nor_begin_a_series():
    waiting = day(2, state="waiting", probability_psi=True)
    days = [day(1, pcoc=False), waiting, day(3, pcoc=False)]
    new, begins, _ = told(days, *crossings(days[:1]))
    assert (new, begins) == ([], False)


def test_what_was_seen_without_labels_starts_once():
    early = [day(1, state="waiting", probability_psi=False)]
    new, begins, seen = told(early)
    assert (new, begins) == ([(1, "probability_psi")], True)
    later = [day(1, pcoc=False, probability_psi=False)]
    assert told(later, *seen)[:2] == ([(1, "pcoc")], False)


def test_only_the_champion_is_trained_anew():
    days = [day(1, model="ctr/2", pcoc=False), day(2, model="ctr/1", pcoc=True)]
    assert told(days)[:2] == ([(1, "pcoc")], False)
    assert begins_for("ctr/2", days, set())


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 20))
def test_however_days_are_seen_each_series_is_told_once(kept, window):
    """Every night the newest `window` days; the series begin where a plain loop says."""
    days = [day(n, pcoc=good) for n, good in enumerate(kept, 1)]
    expected = [n for n, good in enumerate(kept, 1) if not good and (n == 1 or kept[n - 2])]
    known, found = set(), []
    for night in range(1, len(days) + 1):
        seen = days[max(0, night - window) : night]
        found += [entry.day.day for entry in new_alarms(seen, known)]
        begins = begins_for("ctr/1", seen, known)
        if window > 1:
            assert begins == (night in expected)
        known |= {entry.key for entry in crossings(seen)}
    if window > 1:
        assert found == expected


def test_every_threshold_can_be_left_out():
    nothing = dict.fromkeys(type(ALARMS).model_fields) | {
        "rows_at_least": 1, "labelled_share_at_least": 0.5,
    }  # fmt: skip
    assert list(type(ALARMS).model_validate(nothing).model_dump().values()).count(None) == 7
    with pytest.raises(ValueError, match="retrain"):
        type(ALARMS).model_validate({k: v for k, v in nothing.items() if k != "retrain"})
