"""Ingest: typed exactly, in order, and a defect is named by file, line, column and rule."""

import gzip
import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutualctr.data import source
from mutualctr.data.contract_file import load_contract
from mutualctr.data.events import ingest
from mutualctr.data.source import fingerprint
from mutualctr.errors import DataError

CRITEO = load_contract("criteo")
AVAZU = load_contract("avazu")
NAMES = [column.name for column in CRITEO.columns]
HEADER = ",".join(column.name for column in AVAZU.columns)
HEX = "0a1b2c3d"


def criteo_line(**values):
    row = dict.fromkeys(NAMES, "") | {"label": "0"} | values
    return "\t".join(row[name] for name in NAMES)


def avazu_line(**values):
    row = {c.name: "1" if c.type == "integer" else HEX for c in AVAZU.columns}
    row |= {"id": "10000000000000000001", "hour": "14102100"} | values
    return ",".join(row[column.name] for column in AVAZU.columns)


def ingest_text(text, folder, contract=CRITEO, name="clicks.tsv"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    info = ingest(path, contract, folder)
    return info, pq.read_table(info.files)


def test_three_rows_by_hand(tmp_path):
    text = "\n".join(
        [
            criteo_line(label="1", I1="3", I2="-2", C1=HEX, C26='"quoted"'),
            criteo_line(label="2", I1="007", C1="ä"),
            criteo_line(label="", I3="-999999999999999999"),
        ]
    )
    info, table = ingest_text(text, tmp_path)
    assert table.schema == pa.schema(
        [("row", pa.int64())]
        + [(c.name, pa.int64() if c.type == "integer" else pa.string()) for c in CRITEO.columns]
    )
    assert table["row"].to_pylist() == [1, 2, 3]
    assert table["label"].to_pylist() == [1, 2, None]  # values are validation's business
    assert table["I1"].to_pylist() == [3, 7, None]
    assert table["I2"].to_pylist() == [-2, None, None]
    assert table["I3"].to_pylist() == [None, None, -999999999999999999]
    assert table["C1"].to_pylist() == [HEX, "ä", None]
    assert table["C26"].to_pylist() == ['"quoted"', None, None]
    assert info.rows == 3
    assert info.sha256 == fingerprint(tmp_path / "clicks.tsv")
    assert info.columns == ("row", *NAMES)


def test_line_ends_and_compression_change_nothing(tmp_path):
    lines = [criteo_line(label="1", C26=HEX), criteo_line(I1="5")]
    plain = "".join(line + "\n" for line in lines)
    _, expected = ingest_text(plain, tmp_path)
    zstd = pa.compress(plain.encode(), codec="zstd", asbytes=True)
    for text, name in [
        (plain.replace("\n", "\r\n"), "clicks.tsv"),
        (plain.removesuffix("\n"), "clicks.tsv"),
        (gzip.compress(plain.encode()), "clicks.tsv.gz"),
        (zstd, "clicks.tsv.zst"),
    ]:
        assert ingest_text(text, tmp_path, name=name)[1].equals(expected)


def test_avazu_reads_its_header_in_any_order(tmp_path):
    text = f"{HEADER}\n{avazu_line(click='1', C20='-1')}\n"
    info, table = ingest_text(text, tmp_path, AVAZU)
    assert info.rows == 1
    assert table["row"].to_pylist() == [1]  # the header is no row
    assert table["id"].to_pylist() == ["10000000000000000001"]  # beyond 64 bits with a sign
    assert table["C20"].to_pylist() == [-1]
    turned = "\n".join(",".join(reversed(line.split(","))) for line in text.split("\n"))
    assert ingest_text(turned, tmp_path, AVAZU)[1].equals(table)
    marked = "\ufeff" + text.replace("\n", "\r\n")
    assert ingest_text(marked, tmp_path, AVAZU)[1].equals(table)


CELLS = st.one_of(
    st.just(""),
    st.text(st.characters(exclude_categories=["C"], exclude_characters="\t"), max_size=5),
)


@settings(deadline=None, max_examples=25)
@given(
    rows=st.lists(st.tuples(st.integers(-999, 10**17), CELLS, CELLS), min_size=1, max_size=80),
    block_bytes=st.sampled_from([300, 1000, 1 << 20]),
)
def test_equals_a_naive_reader_for_any_block_size(rows, block_bytes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("naive")
    text = "\n".join(criteo_line(label=str(n), C1=a, C26=b) for n, a, b in rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK_BYTES", block_bytes)
        _, table = ingest_text(text, folder)
    naive = [line.split("\t") for line in text.split("\n")]
    assert table["row"].to_pylist() == list(range(1, len(rows) + 1))
    assert table["label"].to_pylist() == [int(values[0]) for values in naive]
    for name, at in (("C1", 14), ("C26", 39)):
        assert table[name].to_pylist() == [values[at] or None for values in naive]


@settings(deadline=None, max_examples=60)
@given(
    number=st.sampled_from(["", "-", "0", "00"]).flatmap(
        lambda start: st.text("0123456789-x aX\v", max_size=20).map(lambda rest: start + rest)
    ),
    word=st.sampled_from([HEX, "x", "two words", ""]),
)
def test_integers_are_read_alike_whatever_text_stands_beside_them(number, word, tmp_path_factory):
    # A blank or an x anywhere in the block turns the fast way of reading integers off.
    text = f"{criteo_line(label='1')}\n{criteo_line(I2=number, C1=word)}\n"
    whole = re.fullmatch(r"-?0*[0-9]{1,18}", number, re.ASCII)
    if whole or not number:
        table = ingest_text(text, tmp_path_factory.mktemp("integers"))[1]
        assert table["I2"].to_pylist() == [None, int(number) if number else None]
        assert table["C1"].to_pylist() == [None, word or None]
    else:
        with pytest.raises(DataError, match=r"line 2, column I2 has .*, not a whole number"):
            ingest_text(text, tmp_path_factory.mktemp("integers"))


def after_good_rows(bad, count=70_000):
    """A bad line behind so many good ones that it lies in a later block."""
    return "\n".join([criteo_line()] * count + [bad, criteo_line()])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (criteo_line()[:-1], r"line 70001 has 39 columns where contract criteo expects 40"),
        (criteo_line() + "\t", r"line 70001 has 41 columns where contract criteo expects 40"),
        ("0", r"line 70001 has 1 column where"),
        ("", r"line 70001 is empty"),
        (criteo_line(I7="1O"), r"line 70001, column I7 has `1O`, not a whole number"),
        (criteo_line(label="yes"), r"line 70001, column label has `yes`"),
        (criteo_line(I1="x" * 500), rf"column I1 has `{'x' * 40}…`, not"),
        (criteo_line(C3="a\0b"), r"line 70001, column C3 holds a NUL byte"),
    ],
)
def test_a_defect_is_named_where_it_is(bad, message, tmp_path):
    with pytest.raises(DataError, match=message) as caught:
        ingest_text(after_good_rows(bad), tmp_path)
    assert "clicks.tsv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [
        "clicks.tsv"
    ]  # nothing half-written stays


@pytest.mark.parametrize(
    "text", ["1.5", "1e3", "0x1F", " 5", "5 ", "+5", "1_000", "٣", "1" * 19, '"5"', "-"]
)
def test_what_other_readers_take_for_an_integer_is_refused(text, tmp_path):
    with pytest.raises(DataError, match=r"line 2, column I2 has .*, not a whole number"):
        ingest_text(f"{criteo_line(I2='-1')}\n{criteo_line(I2=text)}\n", tmp_path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace("click,", ""), "the header lacks click; its columns must be id,click,hour"),
        (HEADER + ",extra", "the header has the unexpected extra"),
        (HEADER.replace("click", "clicks"), "lacks click and has the unexpected clicks"),
        (HEADER.replace("C21", "C20"), "lacks C21 and repeats C20"),
        (avazu_line(), "lacks id, click, hour and 21 more"),
    ],
)
def test_a_wrong_header_names_the_columns(header, message, tmp_path):
    with pytest.raises(DataError, match=f"line 1, .*{message}"):
        ingest_text(f"{header}\n{avazu_line()}\n", tmp_path, AVAZU)


def test_line_numbers_count_the_header(tmp_path):
    with pytest.raises(DataError, match="line 3, column hour has `noon`"):
        ingest_text(f"{HEADER}\n{avazu_line()}\n{avazu_line(hour='noon')}\n", tmp_path, AVAZU)


def test_a_header_without_rows_is_no_data(tmp_path):
    for end in ("", "\n"):
        with pytest.raises(DataError, match="there is a header but no row"):
            ingest_text(HEADER + end, tmp_path, AVAZU)


def test_a_missing_and_an_empty_file(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        ingest(tmp_path / "absent.tsv", CRITEO, tmp_path)
    for name, content in (("a.tsv", b""), ("a.tsv.gz", b""), ("b.tsv.gz", gzip.compress(b""))):
        with pytest.raises(DataError, match="the file is empty"):
            ingest_text(content, tmp_path, name=name)


def test_damaged_data_are_blamed_before_the_rows_they_hold(tmp_path):
    # The bad row lies in the first block, the end of the data many blocks behind it.
    lines = [criteo_line()[:-1], *[criteo_line()] * 200_000]
    data = bytearray(gzip.compress("\n".join(lines).encode(), compresslevel=1))
    data[-6] ^= 0xFF
    with pytest.raises(DataError, match="truncated or damaged"):
        ingest_text(bytes(data), tmp_path, name="clicks.tsv.gz")


def test_a_failed_ingest_leaves_the_former_events(tmp_path):
    info, before = ingest_text(criteo_line(label="1") + "\n", tmp_path)
    with pytest.raises(DataError):
        ingest_text("broken\n", tmp_path)
    assert pq.read_table(info.files).equals(before)


def sample(name):
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("MUTUALCTR_DATA", beside)) / name
    if not path.is_file():
        pytest.skip(f"the sample {name} is not on this machine")
    return path


@pytest.mark.parametrize(
    ("name", "contract"), [("criteo_dev.tsv.gz", CRITEO), ("avazu_dev.csv.gz", AVAZU)]
)
def test_a_real_sample_equals_a_naive_reader(name, contract, tmp_path):
    path = sample(name)
    info = ingest(path, contract, tmp_path)
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        lines = file.read().splitlines()[contract.format.header :]
    assert info.rows == len(lines)
    split = [line.split(contract.format.separator) for line in lines]
    table = pq.read_table(info.files)
    for at, column in enumerate(contract.columns):
        read = int if column.type == "integer" else str
        naive = [read(values[at]) if values[at] else None for values in split]
        assert table[column.name].to_pylist() == naive
