"""Malformed rows: set aside or refused, never lost; and no bytes at all crash a reader."""

import gzip
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_contracts import CSV, small_contract

from mutualctr.data import source
from mutualctr.data.events import ingest
from mutualctr.data.malformed import MALFORMED_FILE
from mutualctr.errors import DataError, UserError

CONTRACT = small_contract()
WITH_HEADER = small_contract(CSV | {"header": True})


def read(path, folder, contract=CONTRACT, percent=100.0):
    """(info, events, quarantine as a list of rows)"""
    info = ingest(path, contract, folder, quarantine_percent=percent)
    aside = folder / MALFORMED_FILE
    rows = pq.read_table(aside).to_pylist() if aside.exists() else []
    assert len(rows) == info.malformed
    return info, pq.read_table(info.files), rows


def test_each_defect_by_hand(tmp_path):
    lines = [
        b"1,5,good",
        b"1,5",
        b"0,x,bad",
        b"",
        b"0,,\xff",
        b"0,1,a\0b",
        b"0,1,a\rb",
        "1,-7,ä".encode(),
        b"0,1,2,3",
        b"0,1,last",
    ]
    path = tmp_path / "clicks.csv"
    path.write_bytes(b"\n".join(lines))
    info, events, aside = read(path, tmp_path)
    assert (info.rows, info.malformed) == (3, 7)
    assert events["row"].to_pylist() == [1, 8, 10]  # a number always points at its line
    assert events["number"].to_pylist() == [5, -7, 1]
    assert events["word"].to_pylist() == ["good", "ä", "last"]
    assert [(r["row"], r["line"], r["rule"]) for r in aside] == [
        (2, 2, "2 columns instead of 3"),
        (3, 3, "column number holds no whole number of at most 18 digits"),
        (4, 4, "an empty line"),
        (5, 5, "bytes that are not UTF-8"),
        (6, 6, "a NUL byte"),
        (7, 7, "a carriage return without a line feed"),
        (9, 9, "4 columns instead of 3"),
    ]
    assert [r["text"] for r in aside][3:6] == [r"0,,\xff", r"0,1,a\x00b", r"0,1,a\rb"]
    assert {r["file"] for r in aside} == {path.name}


def test_the_header_is_no_row_and_a_wrong_one_always_stops(tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("word,click,number\na,1,2\nb,1\n")
    _, events, aside = read(path, tmp_path, WITH_HEADER)
    assert events["row"].to_pylist() == [1]
    assert [(r["row"], r["line"]) for r in aside] == [(2, 3)]
    path.write_text("word,click,numbr\na,1,2\n")
    with pytest.raises(DataError, match="line 1, the header lacks number"):
        read(path, tmp_path, WITH_HEADER)


def test_more_than_the_limit_stops_with_counts_and_the_first(tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("1,2,a\n" * 96 + "1\n" * 4)
    assert read(path, tmp_path / "a", percent=4.0)[0].malformed == 4
    with pytest.raises(DataError) as caught:
        read(path, tmp_path / "b", percent=3.9)
    assert "4 of 100 rows (4 %) are malformed" in str(caught.value)
    assert "allows 3.9 %" in str(caught.value)
    assert f"{path}: line 97: 1 column instead of 3" in str(caught.value)


def test_a_field_of_ten_megabytes_is_one_malformed_row(tmp_path):
    path = tmp_path / "clicks.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,a\n0,1," + b"x" * 10_000_000 + b"\n0,3,c\n", 1))
    _, events, aside = read(path, tmp_path)
    assert events["row"].to_pylist() == [1, 3]
    assert aside[0]["rule"] == "a line of more than 1,048,576 bytes"
    assert aside[0]["text"].startswith("0,1,xxx")
    assert len(aside[0]["text"]) == source.SHOWN_BYTES
    with pytest.raises(DataError, match="line 2 is longer than 1,048,576 bytes"):
        read(path, tmp_path, percent=None)


def test_damage_stops_although_rows_may_be_set_aside(tmp_path):
    path = tmp_path / "clicks.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,a\n" * 1000)[:-4])
    with pytest.raises(DataError, match="truncated or damaged"):
        read(path, tmp_path)


BLOCK_BYTES = 48
"""So small that lines are cut at block ends and some are too long."""

GOOD = st.builds(
    lambda click, number, word: f"{click},{number},{word}".encode(),
    st.integers(0, 1),
    st.one_of(st.just(""), st.integers(-(10**18) + 1, 10**18 - 1)),
    st.text(st.characters(exclude_categories=["C"], exclude_characters=","), max_size=6),
)
PIECES = [b",", b"\r", b"\0", b'"', b" ", b"1", b"-", b"x", b"\xff", b"\xc3\xa4", b"\xef\xbb\xbf"]
WILD = st.one_of(
    st.binary(max_size=60).filter(lambda line: b"\n" not in line),
    st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join),
    GOOD.map(lambda line: line + b"\r"),
    GOOD.map(lambda line: line.replace(b",", b",,")),
    GOOD.map(lambda line: line + b"y" * 50),
    GOOD.map(lambda line: b"0x1F" + line),
)


def naive(content: bytes):
    """(row → values, rows that are malformed), line by line."""
    mark = b"\xef\xbb\xbf"
    lines = content.split(b"\n")
    ended = [True] * (len(lines) - 1) + [False]
    if not lines[-1]:
        lines, ended = lines[:-1], ended[:-1]
    good, bad = {}, set()
    for row, (line, has_end) in enumerate(zip(lines, ended, strict=True), start=1):
        values = line.removesuffix(b"\r") if has_end else line
        values = values.removeprefix(mark) if row == 1 else values
        try:
            assert len(line) <= BLOCK_BYTES
            assert values
            assert not set(values) & {0, 13}
            click, number, word = values.decode("utf-8").split(",")
            for text in (click, number):
                assert re.fullmatch("-?0*[0-9]{1,18}|", text, re.ASCII)
            good[row] = [int(t) if t else None for t in (click, number)] + [word or None]
        except (AssertionError, ValueError):
            bad.add(row)
    return good, bad


@settings(max_examples=150)
@given(
    lines=st.lists(st.one_of(GOOD, GOOD, WILD), min_size=1, max_size=30),
    end=st.sampled_from([b"\n", b"\r\n"]),
    last=st.booleans(),
)
@example(lines=[b"1,2,a", b"1,2,a\r"], end=b"\n", last=False)
@example(lines=[b"\xef\xbb\xbf"], end=b"\n", last=True)
@example(lines=[b"\xef\xbb\xbf1,2,a", b"y" * 40, b"\xef\xbb\xbf1,2,a"], end=b"\n", last=True)
@example(lines=[b"\r"], end=b"\n", last=True)
def test_equals_a_reader_that_goes_line_by_line(lines, end, last, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "a.csv"
    content = end.join(lines) + end * last
    path.write_bytes(content)
    good, bad = naive(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK_BYTES", BLOCK_BYTES)
        patch.setattr("mutualctr.data.events.BLOCK_BYTES", BLOCK_BYTES)
        if good:
            info, events, aside = read(path, folder)
            assert info.rows + info.malformed == len(good) + len(bad)
            assert {r["row"] for r in aside} == bad
            assert all(r["text"].isascii() and r["rule"] for r in aside)
            columns = [events[name].to_pylist() for name in ("click", "number", "word")]
            assert dict(zip(events["row"].to_pylist(), map(list, zip(*columns, strict=True)),
                            strict=True)) == good  # fmt: skip
        if bad or not good:
            with pytest.raises(DataError) as caught:
                read(path, folder, percent=None)
            assert "\n" not in str(caught.value)
        else:
            assert read(path, folder, percent=None)[0].rows == len(good)


def parquet_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"click": [0, 1] * 50, "number": [1] * 100, "word": ["a"] * 100}), sink)
    return sink.getvalue().to_pybytes()


SOUND = {
    "a.csv": b"1,2,a\n0,3,b\n" * 40,
    "a.csv.gz": gzip.compress(b"1,2,a\n0,3,b\n" * 40, mtime=0),
    "a.csv.zst": pa.compress(b"1,2,a\n0,3,b\n" * 40, codec="zstd", asbytes=True),
    "a.libfm": b"1 2:1 3:1\n-1 4:1 5:1\n" * 40,
    "a.inter": b"click:float\tnumber:token\tword:token\n" + b"1\t2\ta\n" * 40,
    "a.parquet": parquet_bytes(),
}
CONTRACTS = {
    "a.libfm": small_contract({"kind": "libfm"}),
    "a.inter": small_contract({"kind": "atomic", "missing": ""}),
}


@settings(max_examples=120)
@given(
    name=st.sampled_from(sorted(SOUND)),
    cut=st.integers(0, 2000),
    flips=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 255)), max_size=4),
    noise=st.binary(max_size=20),
    at=st.integers(0, 4000),
    percent=st.sampled_from([None, 50.0, 100.0]),
)
def test_damaged_files_give_a_sentence_or_all_their_rows(
    name, cut, flips, noise, at, percent, tmp_path_factory
):
    data = bytearray(SOUND[name])
    for place, mask in flips:
        data[place % len(data)] ^= mask
    place = at % len(data)
    data[place:place] = noise
    del data[max(1, len(data) - cut) :]
    folder = tmp_path_factory.mktemp("damaged")
    (folder / name).write_bytes(data)
    try:
        info = ingest(
            folder / name, CONTRACTS.get(name, CONTRACT), folder, quarantine_percent=percent
        )
    except UserError as error:
        said = str(error)
    else:
        said = None
    if said is not None:
        assert "\n" not in said
        assert name in said
        return
    rows = pq.read_table(info.files)["row"].to_pylist()
    aside = folder / MALFORMED_FILE
    rows += pq.read_table(aside)["row"].to_pylist() if aside.exists() else []
    assert sorted(rows) == list(range(1, info.rows + info.malformed + 1))
    if name.endswith((".csv", ".libfm", ".inter")):
        lines = bytes(data).removesuffix(b"\n").count(b"\n") + 1
        assert len(rows) == lines - (name == "a.inter")
