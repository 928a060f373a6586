"""The raw file: where it is found, and what its bytes may not be."""

import gzip
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.data import source
from mutualctr.data.source import fingerprint, read_blocks, resolve_source
from mutualctr.errors import DataError

COLUMNS = ["a", "b", "c"]


def blocks_of(path):
    return list(read_blocks(path, ",", COLUMNS))


def test_an_absolute_path_is_taken_as_it_is(tmp_path):
    path = tmp_path / "clicks.tsv"
    path.touch()
    assert resolve_source(str(path)) == path


def test_a_relative_path_lies_in_the_data_folder(tmp_path, monkeypatch):
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "shared" / "data" / "clicks.tsv").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "clicks.tsv").touch()
    root = tmp_path / "repository"
    monkeypatch.delenv("MUTUALCTR_DATA", raising=False)
    assert resolve_source("clicks.tsv", root) == tmp_path / "shared" / "data" / "clicks.tsv"
    monkeypatch.setenv("MUTUALCTR_DATA", str(tmp_path / "elsewhere"))
    assert resolve_source("clicks.tsv", root) == tmp_path / "elsewhere" / "clicks.tsv"


def test_a_missing_source_names_the_place_and_the_mend(tmp_path, monkeypatch):
    monkeypatch.delenv("MUTUALCTR_DATA", raising=False)
    with pytest.raises(DataError, match=r"looked for .*shared/data/x\.tsv; .*MUTUALCTR_DATA"):
        resolve_source("x.tsv", tmp_path)
    monkeypatch.setenv("MUTUALCTR_DATA", str(tmp_path))
    with pytest.raises(DataError, match=rf"looked for {tmp_path}/x\.tsv"):
        resolve_source("x.tsv")
    with pytest.raises(DataError, match="check the path"):
        resolve_source("/no/such/file")


def test_fingerprint_is_sha256_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # The test vector of FIPS 180.
    assert fingerprint(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60), last_end=st.booleans())
def test_blocks_are_whole_lines_and_lose_nothing(lengths, last_end, tmp_path_factory):
    content = b"\n".join(b"x" * length for length in lengths) + b"\n" * last_end
    path = tmp_path_factory.mktemp("blocks") / "a.csv"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK_BYTES", 64)
        blocks = blocks_of(path)
    assert b"".join(block.data for block in blocks) == content
    assert sum(block.lines for block in blocks) == len(lengths)
    for block, following in pairwise(blocks):
        assert block.data.endswith(b"\n")
        assert following.first_line == block.first_line + block.lines


def compressed(suffix, content):
    return {
        "": lambda: content,
        ".gz": lambda: gzip.compress(content),
        ".zst": lambda: pa.compress(content, codec="zstd", asbytes=True),
    }[suffix]()


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_compression_goes_by_the_suffix(suffix, tmp_path):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(compressed(suffix, b"1,2,3\n" * 1000))
    assert b"".join(block.data for block in blocks_of(path)) == b"1,2,3\n" * 1000


def test_joined_gzip_files_are_one_file(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"1,2,3\n") + gzip.compress(b"4,5,6\n"))
    assert b"".join(block.data for block in blocks_of(path)) == b"1,2,3\n4,5,6\n"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("lost", [1, 5, 8, 20])
def test_a_truncated_file_is_refused(suffix, lost, tmp_path):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(compressed(suffix, bytes(range(32, 127)) * 100)[:-lost])
    with pytest.raises(DataError, match="truncated or damaged"):
        blocks_of(path)


def test_a_damaged_checksum_is_refused(tmp_path):
    path = tmp_path / "a.gz"
    data = bytearray(gzip.compress(b"1,2,3\n" * 1000))
    data[-6] ^= 0xFF  # the checksum is bytes -8 … -5; every row reads well
    path.write_bytes(data)
    with pytest.raises(DataError, match="truncated or damaged"):
        blocks_of(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"1,2,3\n4,5\0,6\n", "line 2, column b holds a NUL byte"),
        (b"1,2,3\n4,5,6\n7,8,\xff\n", "line 3, column c holds bytes that are not UTF-8"),
        ("1,2,ä\n".encode() + b"\xe4,5,6\n", "line 2, column a holds bytes that are not UTF-8"),
        (b"1,2,3,4\0", "line 1, column number 4 holds a NUL byte"),
        (b"1,2,3\n\n4,5,6\n", "line 2 is empty"),
        (b"1,2,3\r\n\r\n4,5,6\r\n", "line 2 is empty"),
        (b"\n1,2,3\n", "line 1 is empty"),
        (b"1,2,3\n\n", "line 2 is empty"),
        (b"1,2,3\n4,5,6\r7,8,9\n", "line 2 has a carriage return"),
        (b"1,2,3\n" + b"x" * source.BLOCK_BYTES * 2, "line 2 is longer than"),
    ],
)
def test_unsound_bytes_are_refused_where_they_are(content, message, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        blocks_of(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_folder_or_nothing_is_no_source(tmp_path):
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(DataError, match="there is no such file"):
            blocks_of(path)
