"""Formats beside delimited text: libfm, atomic files with joins, Parquet; derived labels."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_contracts import COLUMNS, CSV, small_contract

from mutualctr.data.contract_file import load_contract
from mutualctr.data.events import ingest
from mutualctr.data.origin import find_source
from mutualctr.errors import DataError

LIBFM = small_contract({"kind": "libfm"})
PARQUET = small_contract({"kind": "parquet", "missing": ""})
RATED = small_contract(
    {"kind": "atomic", "missing": ""},
    columns=(
        {"name": "user", "type": "integer", "role": "category"},
        {"name": "word", "type": "text", "role": "category"},
        {"name": "stars", "type": "text", "role": "ignored"},
        {
            "name": "click", "type": "integer", "role": "label",
            "derived": {"column": "stars", "at_least": 4},
        },
        {"name": "age", "type": "integer", "role": "category", "file": "x.user"},
    ),
    joined=({"file": "x.user", "key": "user"},),
)  # fmt: skip


def events_of(content, folder, contract, name, **options):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    source = find_source(str(folder / name), contract)
    info = ingest(source, contract, folder / "events", **options)
    return info, pq.read_table(info.files)


def test_libfm_by_hand(tmp_path):
    _, table = events_of("1 7:1 30:1\n-1 8:1 31:1\n0 7:1 31:1\n", tmp_path, LIBFM, "a.libfm")
    assert table["click"].to_pylist() == [1, 0, 0]
    assert table["number"].to_pylist() == [7, 8, 7]
    assert table["word"].to_pylist() == ["30", "31", "31"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 7:1 30:1", "line 2, column click has `2`, no label ±1"),
        ("1 7:2 30:1", "line 2, column number has `7:2`, no `id:1`"),
        ("1 7:1 30:0.5", "line 2, column word has `30:0.5`, no `id:1`"),
        ("1 7:1", "line 2 has 2 columns where contract small expects 3, separated by blank"),
        ("1 7:1  30:1", "line 2 has 4 columns"),
    ],
)
def test_a_libfm_defect_is_named_or_set_aside(line, message, tmp_path):
    text = f"1 7:1 30:1\n{line}\n-1 8:1 31:1\n"
    with pytest.raises(DataError, match=message):
        events_of(text, tmp_path, LIBFM, "a.libfm")
    info, table = events_of(text, tmp_path, LIBFM, "a.libfm", quarantine_percent=40)
    assert (info.malformed, table["row"].to_pylist()) == (1, [1, 3])


RATINGS = "user:token\tword:token\tstars:float\n1\ta\t5\n2\tb\t3.5\n9\tc\t4.0\n1\td\t\n"


def test_atomic_files_join_and_derive(tmp_path):
    (tmp_path / "x.user.gz").write_bytes(gzip.compress(b"age:float\tuser:token\n30\t2\n20\t1\n"))
    _, table = events_of(RATINGS, tmp_path, RATED, "x.inter")
    assert table.column_names == ["row", "user", "word", "stars", "click", "age"]
    assert table["click"].to_pylist() == [1, 0, 1, None]
    assert table["age"].to_pylist() == [20, 30, None, 20]  # user 9 is not there


def test_what_is_joined_is_part_of_the_fingerprint(tmp_path):
    (tmp_path / "x.inter").write_text(RATINGS)
    (tmp_path / "x.user").write_text("age:float\tuser:token\n30\t2\n")
    before = find_source(str(tmp_path / "x.inter"), RATED).fingerprint()
    (tmp_path / "x.user").write_text("age:float\tuser:token\n31\t2\n")
    assert find_source(str(tmp_path / "x.inter"), RATED).fingerprint() != before


@pytest.mark.parametrize(
    ("ratings", "users", "message"),
    [
        (RATINGS, None, "joins the file x.user to x.inter, but .* has neither it nor x.user.gz"),
        (RATINGS, "age:float\tuser:token\n3\t1\n4\t1\n", "the user 1 stands in 2 rows"),
        (RATINGS, "age:float\tuser:token\n3\t\n", "the user None stands in 1 rows"),
        (RATINGS, "age\tuser:token\n3\t1\n", "the heading `age` is no name:type"),
        (RATINGS.replace("3.5", "many"), "age:float\tuser:token\n3\t1\n",
         "line 3, column stars holds no number but `many`, from which click is derived"),
    ],
)  # fmt: skip
def test_a_defect_of_atomic_files_is_named(ratings, users, message, tmp_path):
    if users is not None:
        (tmp_path / "x.user").write_text(users)
    with pytest.raises(DataError, match=message):
        events_of(ratings, tmp_path, RATED, "x.inter")


def test_a_row_whose_label_cannot_be_derived_is_set_aside(tmp_path):
    (tmp_path / "x.user").write_text("age:float\tuser:token\n30\t2\n")
    text = RATINGS.replace("3.5", "many")
    info, table = events_of(text, tmp_path, RATED, "x.inter", quarantine_percent=30)
    assert (info.malformed, table["row"].to_pylist()) == (1, [1, 3, 4])
    aside = pq.read_table(tmp_path / "events" / "quarantine.parquet").to_pylist()
    assert [(r["row"], r["line"]) for r in aside] == [(2, 3)]


def parquet(columns, **options):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue().to_pybytes()


def test_parquet_columns_are_found_by_name_and_of_any_width(tmp_path):
    content = parquet(
        {
            "word": pa.array(["a", "", None]).dictionary_encode(),
            "number": pa.array([5, None, 255], pa.uint8()),
            "click": pa.array([1, 0, 1], pa.int16()),
        },
        row_group_size=2,
    )
    for contract in (PARQUET, small_contract(CSV)):  # a Parquet file says how it is written
        _, table = events_of(content, tmp_path, contract, "a.parquet")
        assert table["row"].to_pylist() == [1, 2, 3]
        assert table["click"].to_pylist() == [1, 0, 1]
        assert table["number"].to_pylist() == [5, None, 255]
        assert table["word"].to_pylist() == ["a", None, None]
        assert [str(field.type) for field in table.schema] == ["int64", "int64", "int64", "string"]


GOOD = {"click": [1], "number": [1], "word": ["a"]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (GOOD | {"number": [1.0]}, "column number is of the type double, the contract says integ"),
        (GOOD | {"click": [True]}, "column click is of the type bool"),
        (GOOD | {"word": [b"a"]}, "column word is of the type binary, the contract says text"),
        (GOOD | {"more": [1]}, "it has the unexpected more; its columns must be click, number, w"),
        ({"click": [1], "number": [1]}, "it lacks the column word"),
        (GOOD | {"number": pa.array([2**63], pa.uint64())}, "row 1, column number holds no whole"),
        (GOOD | {"word": ["a\0b"]}, "row 1, column word holds a NUL byte"),
        (GOOD | {"word": ["a" * 2**20 + "b"]}, "row 1, column word holds text of more than 1,048"),
    ],
)
def test_a_parquet_defect_is_named(columns, message, tmp_path):
    with pytest.raises(DataError, match=message):
        events_of(parquet(columns), tmp_path, PARQUET, "a.parquet")


def test_parquet_text_that_is_no_utf8_is_set_aside(tmp_path):
    broken = pa.array([b"a", b"\xff", b"c"]).cast(pa.string(), safe=False)
    content = parquet({"click": [1, 1, 0], "number": [1, 2, 3], "word": broken})
    info, table = events_of(content, tmp_path, PARQUET, "a.parquet", quarantine_percent=50)
    assert (info.malformed, table["row"].to_pylist()) == (1, [1, 3])
    aside = pq.read_table(tmp_path / "events" / "quarantine.parquet").to_pylist()
    assert [(r["row"], r["line"], r["text"]) for r in aside] == [(2, None, r"1\t2\t\xff")]


def test_row_groups_keep_to_the_memory_that_is_given(tmp_path):
    text = "".join(f"1,{n},{'w' * 500}{n}\n" for n in range(120_000))
    info, table = events_of(text, tmp_path, small_contract(CSV), "a.csv", memory_mb=64)
    groups = pq.ParquetFile(next(info.files.iterdir())).metadata
    assert groups.num_row_groups > 3  # two by rows alone
    assert table["number"].to_pylist() == list(range(120_000))


@pytest.mark.parametrize(
    ("name", "source", "rows", "clicks"),
    [
        ("frappe", "frappe_dev.libfm.gz", 57_722, 0.33),
        ("movielens_100k", "movielens_100k/ml-100k.inter.gz", 100_000, 0.554),
        ("amazon_books", "amazon_books_dev.csv.gz", 20_479, 0.789),
    ],
)
def test_a_real_sample_keeps_its_contract(name, source, rows, clicks, data_folder, tmp_path):
    from mutualctr.data.validation import validate

    contract = load_contract(name)
    info = ingest(find_source(str(data_folder / source), contract), contract, tmp_path)
    table = pq.read_table(info.files)
    assert info.rows == rows
    assert table[contract.label].to_numpy().mean() == pytest.approx(clicks, abs=0.001)
    assert validate(info.files, contract).verdict == "accepted"
    if name == "movielens_100k":
        assert table["age"].null_count == table["class"].null_count == 0


def test_the_columns_of_a_file_are_its_own():
    assert [c.name for c in RATED.of_file(None).columns] == ["user", "word", "stars"]
    assert [c.name for c in RATED.of_file("x.user").columns] == ["user", "age"]


@pytest.mark.parametrize(
    ("layout", "columns", "joined", "message"),
    [
        ({"kind": "libfm", "missing": ""}, COLUMNS, (), "libfm takes no `missing`"),
        ({"kind": "atomic"}, COLUMNS, (), "atomic needs `missing`"),
        ({"delimiter": "comma", "missing": ""}, COLUMNS, (), "delimited needs `header`"),
        ({"kind": "libfm"}, COLUMNS[::-1], (), "in libfm the first column is the label"),
        (CSV, COLUMNS, ({"file": "a", "key": "wrd"},), "`joined` names the key `wrd`; did you m"),
        (CSV, (*COLUMNS, COLUMNS[1] | {"name": "age", "file": "b"}), (), "`joined` does not list"),
        (CSV, (*COLUMNS[1:], COLUMNS[0] | {"derived": {"column": "wrod", "at_least": 1}}), (),
         "click is derived from `wrod`; did you mean `word`"),
        (CSV, (*COLUMNS, COLUMNS[1] | {"name": "n", "derived": {"column": "word", "at_least": 1}}),
         (), "n is derived, which only a label can be"),
    ],
)  # fmt: skip
def test_a_broken_layout_says_what(layout, columns, joined, message):
    with pytest.raises(ValueError, match=message):
        small_contract(layout, columns, joined)
