"""Which daily files a run reads, by hand and against a plain loop."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.config import WindowConfig
from mutualctr.data.contract_file import load_contract
from mutualctr.data.origin import find_source, partitions_of
from mutualctr.data.partitions import select
from mutualctr.errors import DataError

DAYS = [f"2026-03-0{day}.tsv" for day in range(1, 6)]
TWO = WindowConfig(days=2)


def test_the_first_run_reads_the_window_and_all_is_new():
    selection = select(DAYS, TWO, None)
    assert selection.partitions == ("2026-03-04.tsv", "2026-03-05.tsv")
    assert (selection.new, selection.mark) == (2, "2026-03-05.tsv")


def test_new_is_what_lies_behind_the_mark():
    assert select(DAYS, TWO, "2026-03-04.tsv").new == 1
    assert select(DAYS, TWO, "2026-03-05.tsv").new == 0
    assert select(DAYS, None, "2026-03-02.tsv").new == 3


def test_a_late_partition_is_read_and_is_no_news():
    late = [name for name in DAYS if "04" not in name]
    assert select(late, TWO, "2026-03-05.tsv").partitions == ("2026-03-05.tsv",)
    selection = select(DAYS, TWO, "2026-03-05.tsv")
    assert selection.partitions == ("2026-03-04.tsv", "2026-03-05.tsv")
    assert selection.new == 0


def test_days_are_days_and_not_files():
    names = ["day=20260228/b.csv", "day=20260301/a.csv", "day=20260301/b.csv"]
    assert select(names, TWO, None).partitions == tuple(names)
    assert select(names, WindowConfig(days=1), None).partitions == tuple(names[1:])
    assert select(names, TWO, "day=20260301/a.csv").new == 1


def test_the_day_decides_and_not_the_name():
    names = ["z-2026-03-01.csv", "a-2026-03-02.csv"]
    assert select(names, TWO, "z-2026-03-01.csv").new == 1
    assert select(names, TWO, None).mark == "a-2026-03-02.csv"


@pytest.mark.parametrize("name", ["clicks.tsv", "2026-13-01.tsv", "120260301.tsv"])
def test_a_window_needs_days(name):
    with pytest.raises(DataError, match="has no day"):
        select([name], TWO, None)
    assert select([name], None, None).new == 1


def test_no_partition():
    with pytest.raises(DataError, match="no partitions"):
        select([], None, None)


@given(st.sets(st.integers(0, 40), min_size=1), st.integers(1, 10), st.integers(0, 40))
def test_agrees_with_a_plain_loop(offsets, days, marked):
    first = date(2026, 2, 10)
    names = [f"{first + timedelta(days=n)}.csv" for n in offsets]
    mark = f"{first + timedelta(days=marked)}.csv"
    selection = select(names, WindowConfig(days=days), mark)
    read = [n for n in sorted(offsets) if n > max(offsets) - days]
    assert selection.partitions == tuple(f"{first + timedelta(days=n)}.csv" for n in read)
    assert selection.new == sum(n > marked for n in read)


def test_folders_patterns_and_files(tmp_path, monkeypatch):
    monkeypatch.setenv("MUTUALCTR_DATA", str(tmp_path))
    daily = tmp_path / "daily"
    for name in ("day=2026-03-02/b.tsv", "2026-03-01.tsv", "_SUCCESS", ".2026-03-03.tsv.part"):
        (daily / name).parent.mkdir(parents=True, exist_ok=True)
        (daily / name).write_text("")
    both = ["2026-03-01.tsv", "day=2026-03-02/b.tsv"]
    assert partitions_of("daily") == partitions_of("daily/") == both
    assert partitions_of("daily/*.tsv") == both[:1]
    assert partitions_of("daily/**/*.tsv") == partitions_of(str(daily / "**" / "*.tsv")) == both
    assert partitions_of("daily/2026-03-01.tsv") is None
    assert partitions_of("postgresql://host/clicks?table=a&order_by=b") is None


def test_the_first_day_of_a_folder_of_days(tmp_path):
    """All files lie in one day's folder: its day is still a part of their names."""
    file = tmp_path / "day=2026-03-01" / "part-0.tsv"
    file.parent.mkdir()
    file.write_text("")
    assert partitions_of(str(tmp_path)) == ["day=2026-03-01/part-0.tsv"]
    source = find_source(str(tmp_path), load_contract("criteo"), TWO)
    assert [entry.name for entry in source.files] == [str(file)]


def test_a_window_keeps_the_newest_files(tmp_path):
    for name in DAYS:
        (tmp_path / name).write_text("")
    source = find_source(str(tmp_path / "*.tsv"), load_contract("criteo"), TWO)
    assert [entry.name for entry in source.files] == [str(tmp_path / name) for name in DAYS[3:]]
