"""A node fetches a folder once, whole; a short disk loses the longest unused."""

import multiprocessing
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mutualctr.errors import StackError
from stack import node_cache


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MUTUALCTR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(node_cache, "_IN_USE", [])
    return tmp_path / "cache"


def fill(folder: Path) -> None:
    (folder / "weights").write_bytes(b"w")


def test_it_is_fetched_once():
    calls = []
    for _ in range(3):
        folder = node_cache.fetched("d1", 1, lambda place: (calls.append(1), fill(place)))
        assert (folder / "weights").read_bytes() == b"w"
    assert calls == [1]


def test_half_a_fetch_is_nothing(cache):
    def fail(place: Path) -> None:
        fill(place)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        node_cache.fetched("d1", 1, fail)
    assert [path for path in cache.iterdir() if path.is_dir()] == []
    assert node_cache.fetched("d1", 1, fill).is_dir()


def _fetch_slowly(log: str) -> None:
    def slow(place: Path) -> None:
        with open(log, "a") as file:
            file.write("x")
        time.sleep(0.3)
        fill(place)

    assert (node_cache.fetched("d1", 1, slow) / "weights").exists()


def test_processes_that_want_the_same_wait_for_one(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_fetch_slowly, args=(str(tmp_path / "log"),)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert (tmp_path / "log").read_text() == "x"


def test_what_was_uploaded_stays(tmp_path, cache):
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out")
    node_cache.kept("d1", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert node_cache.fetched("d1", 1, pytest.fail) == cache / "d1"


def test_a_short_disk_loses_the_longest_unused(monkeypatch, cache):
    for age, digest in ((30, "old"), (20, "used"), (10, "young")):
        entry = node_cache.fetched(digest, 1, fill)
        os.utime(entry, (time.time() - age,) * 2)
    used = node_cache._IN_USE.pop(1)  # the process that uses it goes on
    while node_cache._IN_USE:
        node_cache._IN_USE.pop().close()
    left = {"old", "used", "young"}
    monkeypatch.setattr(
        shutil,
        "disk_usage",
        lambda _: SimpleNamespace(free=100 if not (cache / "old").exists() else 0),
    )
    node_cache.fetched("new", 50, fill)
    present = {path.name for path in cache.iterdir() if path.is_dir()}
    assert present == left - {"old"} | {"new"}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(StackError, match=r"0\.0 GB free .* set MUTUALCTR_CACHE"):
        node_cache.fetched("huge", 10**9, fill)
    assert (cache / "used").is_dir()
    assert not (cache / "young").exists()
    used.close()
