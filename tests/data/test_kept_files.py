"""Finished files are kept: a killed ingest goes on behind them, and a changed one starts anew."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from small_contracts import CSV, small_contract

from mutualctr.data import events, kept_files
from mutualctr.data.events import ingest
from mutualctr.data.origin import find_source

CONTRACT = small_contract()

KILLED = """
import os, signal, sys
from pathlib import Path
from small_contracts import small_contract
from mutualctr.data import events
from mutualctr.data.origin import find_source

read = events.FileReader.read

def file(self, part, first_row, folder, advance):
    if part.name.endswith("c.csv"):
        os.kill(os.getpid(), signal.SIGKILL)
    return read(self, part, first_row, folder, advance)

events.FileReader.read = file
contract = small_contract()
source = find_source(sys.argv[1], contract)
events.ingest(source, contract, Path(sys.argv[2]), quarantine_percent=50, kept=Path(sys.argv[3]))
"""


@pytest.fixture
def daily(tmp_path):
    folder = tmp_path / "daily"
    folder.mkdir()
    for n, name in enumerate("abcd"):
        rows = "".join(f"{i % 2},{100 * n + i},w{i}\n" for i in range(50))
        (folder / f"{name}.csv").write_text(rows + "broken\n" * (name == "b"))
    return folder


@pytest.fixture
def read_files(monkeypatch):
    """Names of the files that were read, in order."""
    names = []
    real = events.FileReader.read

    def file(self, part, first_row, folder, advance):
        names.append(part.name.rpartition("/")[2])
        return real(self, part, first_row, folder, advance)

    monkeypatch.setattr(events.FileReader, "read", file)
    return names


def run(daily, folder, kept, contract=CONTRACT, **options):
    options = {"quarantine_percent": 50} | options
    return ingest(find_source(str(daily), contract), contract, folder, kept=kept, **options)


def content(info):
    return [path.read_bytes() for path in sorted(info.files.iterdir())]


def test_a_killed_ingest_goes_on_behind_its_last_whole_file(daily, tmp_path, read_files):
    kept = tmp_path / "kept"
    died = subprocess.run(
        [sys.executable, "-c", KILLED, daily, tmp_path / "killed", kept],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert died.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "files").exists()
    resumed = run(daily, tmp_path / "resumed", kept)
    assert read_files == ["c.csv", "d.csv"]
    whole = run(daily, tmp_path / "whole", None)
    assert content(resumed) == content(whole)
    assert replace(resumed, files=None) == replace(whole, files=None)
    assert pq.read_table(resumed.files)["row"].to_pylist() == [*range(1, 101), *range(102, 202)]
    aside = [pq.read_table(tmp_path / name / "quarantine.parquet") for name in ("resumed", "whole")]
    assert aside[0].equals(aside[1])


def test_a_new_day_reads_only_itself(daily, tmp_path, read_files):
    kept = tmp_path / "kept"
    run(daily, tmp_path / "1", kept)
    (daily / "e.csv").write_text("1,1,new\n")
    info = run(daily, tmp_path / "2", kept)
    assert read_files == ["a.csv", "b.csv", "c.csv", "d.csv", "e.csv"]
    assert info.rows == 201


def test_whatever_a_file_depends_on_reads_it_again(daily, tmp_path, read_files):
    kept = tmp_path / "kept"
    run(daily, tmp_path / "0", kept)
    del read_files[:]
    (daily / "c.csv").write_text("1,1,new\n" * 50)  # as many rows: d keeps its numbers
    run(daily, tmp_path / "1", kept)
    assert read_files == ["c.csv"]
    (daily / "c.csv").write_text("1,1,new\n" * 49)
    run(daily, tmp_path / "2", kept)
    assert read_files == ["c.csv", "c.csv", "d.csv"]
    del read_files[:]
    (daily / "b.csv").write_text("1,1,sound\n")
    for n, options in enumerate(({"code": "new"}, {"quarantine_percent": None}, {"memory_mb": 64})):
        run(daily, tmp_path / f"option-{n}", kept, **options)
    other = small_contract(CSV | {"missing": "w1"})
    run(daily, tmp_path / "other", kept, other)
    assert read_files == ["a.csv", "b.csv", "c.csv", "d.csv"] * 4


def test_events_outlive_what_was_kept(daily, tmp_path):
    kept = tmp_path / "kept"
    info = run(daily, tmp_path / "1", kept)
    before = pq.read_table(info.files)
    for entry in kept.iterdir():
        os.utime(entry, (1, 1))
    kept_files.drop_unused(kept)
    assert not list(kept.iterdir())
    assert pq.read_table(info.files).equals(before)


def test_what_is_used_is_not_old(daily, tmp_path, read_files):
    kept = tmp_path / "kept"
    run(daily, tmp_path / "1", kept)
    for entry in kept.iterdir():
        os.utime(entry, (time.time() - 13 * 86_400,) * 2)
    run(daily, tmp_path / "2", kept)
    for entry in kept.iterdir():
        assert entry.stat().st_mtime > time.time() - 86_400
    assert read_files == ["a.csv", "b.csv", "c.csv", "d.csv"]
