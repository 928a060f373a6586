"""Which probability belongs to which click: by id, by place, or not at all."""

import pyarrow.parquet as pq
import pytest
from monitored_days import FIRST, SECOND, THIRD, contract, labels, scoring, set_aside

from mutualctr.errors import DataError
from mutualctr.monitoring.join import join
from mutualctr.monitoring.partitions import labelled_partitions, scored_partitions

RED, BLUE = "red", "blue"
MONDAY = [("a", RED, 0.1), ("b", BLUE, 0.2), ("c", RED, 0.3)]
TUESDAY = [("d", BLUE, 0.4), ("e", None, 0.5)]


def clicked(rows, *clicks):
    return [(key, colour, click) for (key, colour, _), click in zip(rows, clicks, strict=True)]


def joined(runs, events, with_id, aside=None):
    """{(day, model): (probability_M, label_M, rows scored, labelled only)}."""
    scored, _ = scored_partitions(runs, "ads")
    found = join(scored, labelled_partitions(events), contract(with_id), aside)
    return {
        (day.day, day.model): (
            day.probability_M.tolist(),
            day.label_M.tolist(),
            len(day.probability_B),
            day.labelled_only,
        )
        for day in found
    }


@pytest.mark.parametrize("with_id", [True, False])
def test_a_day_with_labels_and_a_day_that_waits(tmp_path, with_id):
    run = scoring(tmp_path / "s", "ads/1", ("1.tsv", FIRST, MONDAY), ("2.tsv", SECOND, TUESDAY))
    events = labels(tmp_path / "l", ("1.tsv", FIRST, clicked(MONDAY, 0, 1, 1)))
    assert joined([run], events, with_id) == {
        (FIRST, "ads/1"): ([0.1, 0.2, 0.3], [0, 1, 1], 3, 0),
        (SECOND, "ads/1"): ([], [], 2, 0),
    }


def test_an_id_is_found_wherever_its_label_comes(tmp_path):
    """Out of order, a day late, in another file; what has no partner is counted on both sides."""
    run = scoring(tmp_path / "s", "ads/1", ("1.tsv", FIRST, MONDAY), ("2.tsv", SECOND, TUESDAY))
    late = [("e", "?", 1), ("c", "?", 1), ("nobody", "?", 0), (None, "?", 1)]
    events = labels(tmp_path / "l", ("1.tsv", FIRST, [("a", "?", 0)]), ("3.tsv", THIRD, late))
    found = joined([run], events, True)
    probability_M, label_M, rows, labelled_only = found[FIRST, "ads/1"]
    assert (probability_M, label_M) == ([0.1, 0.3], [0, 1])
    assert (rows, labelled_only) == (3, 0)
    assert found[SECOND, "ads/1"] == ([0.5], [1], 2, 0)
    assert found[THIRD, None] == ([], [], 0, 2)


def test_the_same_rows_are_found_under_another_name_and_day(tmp_path):
    run = scoring(tmp_path / "s", "ads/1", ("1.tsv", FIRST, MONDAY), ("2.tsv", SECOND, TUESDAY))
    events = labels(tmp_path / "l", ("other.tsv", THIRD, clicked(TUESDAY, 1, 0)))
    assert joined([run], events, False) == {
        (FIRST, "ads/1"): ([], [], 3, 0),
        (SECOND, "ads/1"): ([0.4, 0.5], [1, 0], 2, 0),
    }


def test_of_two_days_with_the_same_rows_each_gets_its_own_labels(tmp_path):
    again = [(key, colour, p + 0.5) for key, colour, p in MONDAY]
    run = scoring(tmp_path / "s", "ads/1", ("1.tsv", FIRST, MONDAY), ("2.tsv", SECOND, again))
    events = labels(
        tmp_path / "l",
        ("1.tsv", FIRST, clicked(MONDAY, 0, 0, 0)),
        ("2.tsv", SECOND, clicked(MONDAY, 1, 1, 1)),
    )
    found = joined([run], events, False)
    assert found[FIRST, "ads/1"][1] == [0, 0, 0]
    assert found[SECOND, "ads/1"][1] == [1, 1, 1]


@pytest.mark.parametrize(
    "delivered",
    [
        clicked([MONDAY[1], MONDAY[0], MONDAY[2]], 0, 1, 1),  # another order
        clicked(MONDAY[:2], 0, 1),  # a row less
        [*clicked(MONDAY[:2], 0, 1), ("c", "green", 1)],  # another row
        [*clicked(MONDAY, 0, 1, 1), None],  # a row that could not be read
    ],
)
def test_without_an_id_other_rows_are_refused(tmp_path, delivered):
    run = scoring(tmp_path / "s", "ads/1", ("1.tsv", FIRST, MONDAY))
    events = labels(tmp_path / "l", ("1.tsv", FIRST, delivered))
    with pytest.raises(DataError, match=r"labels of 2026-03-29 \(1.tsv, \d rows\) are not of the"):
        joined([run], events, False)
    # Another day's rows are no contradiction: nobody scored them.
    events = labels(tmp_path / "m", ("2.tsv", SECOND, delivered))
    rows = sum(row is not None for row in delivered)
    assert joined([run], events, False)[SECOND, None] == ([], [], 0, rows)


def test_a_day_of_two_versions_counts_rows_that_nobody_scored_once(tmp_path):
    one = scoring(tmp_path / "1", "ads/1", ("a.tsv", FIRST, MONDAY))
    two = scoring(tmp_path / "2", "ads/2", ("b.tsv", FIRST, TUESDAY))
    rows = [*clicked(MONDAY, 0, 1, 1), *clicked(TUESDAY, 1, 0), ("z", RED, 1)]
    assert joined([two, one], labels(tmp_path / "l", ("1.tsv", FIRST, rows)), True) == {
        (FIRST, "ads/1"): ([0.1, 0.2, 0.3], [0, 1, 1], 3, 1),
        (FIRST, "ads/2"): ([0.4, 0.5], [1, 0], 2, 0),
    }


@pytest.mark.parametrize("side", ["labels", "scores"])
def test_an_id_that_occurs_twice_is_refused(tmp_path, side):
    twice = [*MONDAY, ("b", RED, 0.9)]
    rows, clicks = (MONDAY, twice) if side == "labels" else (twice, MONDAY)
    run = scoring(tmp_path / "s", "ads/1", ("1.tsv", FIRST, rows))
    events = labels(tmp_path / "l", ("1.tsv", FIRST, clicked(clicks, *([0] * len(clicks)))))
    with pytest.raises(DataError, match=f"The {side} hold the id b more than once"):
        joined([run], events, True)


def test_scores_from_before_the_contract_had_an_id_are_refused(tmp_path):
    run = scoring(tmp_path / "s", "ads/1", ("1.tsv", FIRST, MONDAY))
    path = run.folder / "scores.parquet"
    pq.write_table(pq.read_table(path).drop_columns("id"), path)
    events = labels(tmp_path / "l", ("1.tsv", FIRST, clicked(MONDAY, 0, 1, 1)))
    with pytest.raises(DataError, match=r"2026-03-29 \(1.tsv\) do not have the id id"):
        joined([run], events, True)


@pytest.mark.parametrize("with_id", [True, False])
def test_rows_set_aside_or_without_a_label_count_as_not_labelled(tmp_path, with_id):
    run = scoring(tmp_path / "s", "ads/1", ("1.tsv", FIRST, MONDAY))
    events = labels(tmp_path / "l", ("1.tsv", FIRST, clicked(MONDAY, 0, None, 1)))
    aside = set_aside(tmp_path / "quarantine.parquet", 1)
    assert joined([run], events, with_id, aside) == {(FIRST, "ads/1"): ([0.3], [1], 3, 0)}


def test_the_newest_scoring_of_a_partition_counts(tmp_path):
    old = scoring(tmp_path / "o", "ads/1", ("1.tsv", FIRST, MONDAY), ("2.tsv", SECOND, TUESDAY))
    changed = [(key, colour, p + 0.5) for key, colour, p in MONDAY]
    new = scoring(tmp_path / "n", "ads/2", ("1.tsv", FIRST, changed), ("x.tsv", None, MONDAY))
    other = scoring(tmp_path / "x", "adverts/9", ("1.tsv", FIRST, MONDAY))
    scored, passed_over = scored_partitions([other, new, old], "ads")
    assert [(part.day, part.model) for part in scored] == [(FIRST, "ads/2"), (SECOND, "ads/1")]
    assert passed_over == 1
    (old.folder / "partitions.json").unlink()
    scored, passed_over = scored_partitions([new, old], "ads")
    assert [part.model for part in scored] == ["ads/2"]
    assert passed_over == 2


def test_labels_of_no_day_are_refused(tmp_path):
    events = labels(tmp_path / "l", ("clicks.tsv", None, clicked(MONDAY, 0, 1, 1)))
    with pytest.raises(DataError, match=r"clicks.tsv has no day such as 2026-03-29"):
        labelled_partitions(events)
