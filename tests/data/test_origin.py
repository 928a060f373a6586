"""What `data.source` names: which files, in which order, and when they count as changed."""

import json
import os
import time

import pyarrow.parquet as pq
import pytest
from small_contracts import small_contract

from mutualctr.closed import parse
from mutualctr.config import DataConfig
from mutualctr.data import digests
from mutualctr.data.events import FILES_RECORD, ingest
from mutualctr.data.origin import find_source, local_paths
from mutualctr.errors import ConfigError, DataError

CONTRACT = small_contract()


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("MUTUALCTR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def put(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(source, data):
    return [path.relative_to(data).as_posix() for path in local_paths(source)]


def test_a_folder_is_its_files_by_path(data):
    put(data, daily__b="1", daily__a="1", daily___SUCCESS="", daily___x__c="1")
    (data / "daily" / ".half").write_text("1")
    assert names("daily", data) == ["daily/a", "daily/b"]
    for day in ("2026-11-02", "2026-11-01"):
        (data / "hive" / f"day={day}").mkdir(parents=True)
        (data / "hive" / f"day={day}" / "part-0.csv").write_text("1")
    assert names("hive", data) == [f"hive/day=2026-11-0{n}/part-0.csv" for n in (1, 2)]


def test_a_pattern_is_what_it_matches(data):
    put(data, daily__a_csv="1", daily__b_csv="1", daily__c_tsv="1", deep__x__d_csv="1")
    assert names("daily/*_csv", data) == ["daily/a_csv", "daily/b_csv"]
    assert names("**/*_csv", data) == ["daily/a_csv", "daily/b_csv", "deep/x/d_csv"]
    assert names(str(data / "daily" / "[ab]_*"), data) == ["daily/a_csv", "daily/b_csv"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("daily", "no file in the folder daily: looked in .*; put files there"),
        ("x*.csv", "No file matches x.*looked in"),
        ("x.csv", "There is no file x.csv: looked for"),
        ("ftp://host/a.csv", "ftp://host/a.csv is of no known kind; known are s3://, gs://, postg"),
        ("s3:///a.csv", "names no bucket; write s3://bucket/key"),
        ("postgresql://u@h/db", r"postgresql://…@h/db: .* must end in \?table=NAME&order_by=COL"),
        ("postgresql://u@h/db?table=t", "give `order_by` once"),
        ("postgresql://u@h/db?table=t&order_by=id&sslmode=require", "`sslmode` is not an option"),
    ],
)
def test_what_is_not_there_gets_a_sentence(source, message, data):
    (data / "daily").mkdir()
    with pytest.raises(DataError, match=message):
        find_source(source, CONTRACT)


@pytest.mark.parametrize(
    "source",
    [
        "postgresql://u:hunter2@h/db?table=t&order_by=i",
        "postgresql://h/db?password=hunter2&table=t",
    ],
)
def test_a_password_is_refused_and_not_repeated(source):
    said = "holds a password; take it out and set PGPASSWORD"
    with pytest.raises(DataError, match=said) as caught:
        find_source(source, CONTRACT)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match=said) as caught:
        parse(DataConfig, {"contract": "criteo", "source": source}, "run.yaml")
    assert "hunter2" not in str(caught.value)


def test_rows_of_all_files_are_numbered_together(data, tmp_path):
    put(data, daily__a="1,1,a\n0,2,b\n", daily__b="1,3,c\nx\n0,4,d\n", daily__c="1,5,e")
    source = find_source("daily", CONTRACT)
    info = ingest(source, CONTRACT, tmp_path / "events", quarantine_percent=50)
    assert [path.name for path in sorted(info.files.iterdir())] == [
        f"0000{n}.parquet" for n in range(3)
    ]
    table = pq.read_table(info.files)
    assert table["row"].to_pylist() == [1, 2, 3, 5, 6]
    assert table["number"].to_pylist() == [1, 2, 3, 4, 5]
    record = json.loads((tmp_path / "events" / FILES_RECORD).read_text())
    assert [(r["file"], r["first_row"], r["rows"], r["malformed"]) for r in record] == [
        ("a", 1, 2, 0),
        ("b", 3, 2, 1),
        ("c", 6, 1, 0),
    ]
    assert [r["day"] for r in record] == [None, None, None]
    aside = pq.read_table(tmp_path / "events" / "quarantine.parquet").to_pylist()
    assert [(r["row"], r["line"], r["file"]) for r in aside] == [(4, 2, "b")]
    assert source.fingerprint({i.file: i.sha256 for i in info.sources}) == source.fingerprint()


@pytest.mark.parametrize("source", ["20250101/daily", "20250101/daily/*/*.csv"])
def test_the_day_of_a_file_is_in_its_name_below_the_source(data, tmp_path, source):
    """A single partition says which day it is, too; the date of a folder above is none."""
    put(data, **{"20250101__daily__day=2026-03-29__part-0.csv": "1,1,a\n"})
    ingest(find_source(source, CONTRACT), CONTRACT, tmp_path)
    (entry,) = json.loads((tmp_path / FILES_RECORD).read_text())
    assert (entry["file"], entry["day"]) == ("part-0.csv", "2026-03-29")
    single = find_source("20250101/daily/day=2026-03-29/part-0.csv", CONTRACT)
    assert single.days == (None,)


def test_a_fingerprint_changes_with_any_content_and_nothing_else(data, tmp_path):
    put(data, daily__a="1,1,a\n", daily__b="1,3,c\n")
    before = find_source("daily", CONTRACT).fingerprint()
    os.utime(data / "daily" / "a", (1, 1))
    assert find_source("daily", CONTRACT).fingerprint() == before
    (data / "daily" / "b").write_text("1,3,d\n")
    changed = find_source("daily", CONTRACT).fingerprint()
    assert changed != before
    (data / "daily" / "c").write_text("1,3,d\n")
    assert find_source("daily", CONTRACT).fingerprint() not in (before, changed)


def test_an_old_file_is_hashed_once(data, monkeypatch):
    put(data, a="1,1,a\n", b="1,1,b\n")
    hashed = []
    real = digests.file_digest
    monkeypatch.setattr(digests, "file_digest", lambda path: hashed.append(path.name) or real(path))
    first = find_source("*", CONTRACT).fingerprint()
    assert find_source("*", CONTRACT).fingerprint() == first
    assert hashed == ["a", "b"] * 2  # too fresh: an edit could hide within a tick of the clock
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    for _ in range(3):
        assert find_source("*", CONTRACT).fingerprint() == first
    assert hashed == ["a", "b"] * 3
    (data / "b").write_text("1,1,c\n")
    os.utime(data / "b", (1, 1))
    assert find_source("*", CONTRACT).fingerprint() != first
    assert hashed == ["a", "b"] * 3 + ["b"]


def test_where_the_folder_lies_is_not_what_the_events_are(data, tmp_path):
    from mutualctr.files import folder_digest

    digests_of = set()
    for place in ("here", "there"):
        for day in (1, 2):
            put(data, **{f"{place}__day={day}__part-0.csv": f"1,{day},a\nbroken\n"})
        folder = tmp_path / place
        ingest(find_source(place, CONTRACT), CONTRACT, folder, quarantine_percent=50)
        record = json.loads((folder / FILES_RECORD).read_text())
        assert [entry["file"] for entry in record] == ["day=1/part-0.csv", "day=2/part-0.csv"]
        digests_of.add(folder_digest(folder))
    assert len(digests_of) == 1
