"""A table of a real PostgreSQL server, started for these tests."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from in_process_spark import as_tasks
from postgres_server import PASSWORD, USER, find_initdb, running
from small_contracts import small_contract

from mutualctr.data import postgres
from mutualctr.data.events import ingest
from mutualctr.data.origin import find_source
from mutualctr.errors import DataError

driver = pytest.importorskip(
    "adbc_driver_postgresql.dbapi",
    reason="the driver is not installed (extra postgresql)",
)
CONTRACT = small_contract()


@pytest.fixture(scope="module")
def server():
    initdb = find_initdb()
    if initdb is None:
        pytest.skip("there is no PostgreSQL server here (initdb): apt-get install postgresql")
    with running(initdb) as port:
        yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"


@pytest.fixture
def execute(server, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)

    def run(*statements):
        with driver.connect(server) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    run("DROP SCHEMA IF EXISTS web CASCADE", "CREATE SCHEMA web")
    return run


def events_of(address, folder, contract=CONTRACT, **options):
    source = find_source(address, contract)
    info = ingest(source, contract, folder, **options)
    return info, pq.read_table(info.files)


def test_rows_come_typed_and_in_the_order_asked_for(server, execute, tmp_path):
    execute(
        'CREATE TABLE web.clicks (at int, word text, "number" smallint, click bigint, more date)',
        "INSERT INTO web.clicks VALUES (3, 'c', NULL, 0), (1, 'ä', 7, 1), (2, '', -7, 1)",
    )
    info, table = events_of(f"{server}?table=web.clicks&order_by=at", tmp_path)
    assert table["row"].to_pylist() == [1, 2, 3]
    assert table["click"].to_pylist() == [1, 1, 0]
    assert table["number"].to_pylist() == [7, -7, None]
    assert table["word"].to_pylist() == ["ä", None, "c"]
    assert table.schema.field("number").type == pa.int64()
    assert (info.rows, info.malformed) == (3, 0)


def test_a_table_is_read_by_a_task_on_spark_too(server, execute, tmp_path):
    execute(
        "CREATE TABLE web.clicks (word text, number int, click bigint)",
        "INSERT INTO web.clicks VALUES ('b', 2, 1), ('a', NULL, 0)",
    )
    address = f"{server}?table=web.clicks&order_by=word"
    here, expected = events_of(address, tmp_path / "here")
    there, found = events_of(address, tmp_path / "there", read=as_tasks)
    assert found.equals(expected)
    assert found["word"].to_pylist() == ["a", "b"]
    assert there.sources == here.sources


def test_many_rows_stream_and_a_broken_one_is_set_aside(server, execute, tmp_path):
    execute(
        "CREATE TABLE web.many (id bigint, click int, number bigint, word varchar)",
        "INSERT INTO web.many SELECT n, n % 2, n, 'w' || n FROM generate_series(1, 300000) n",
        "UPDATE web.many SET number = 9000000000000000000 WHERE id = 1000",
    )
    address = f"{server}?table=web.many&order_by=id"
    with pytest.raises(DataError, match="row 1000, column number holds no whole number of at mos"):
        events_of(address, tmp_path)
    info, table = events_of(address, tmp_path, quarantine_percent=0.1)
    assert (info.rows, info.malformed) == (299_999, 1)
    assert table["number"].to_pylist() == [*range(1, 1000), *range(1001, 300_001)]
    assert pq.read_table(tmp_path / "quarantine.parquet")["row"].to_pylist() == [1000]


def test_a_table_is_read_again_in_every_run(server, execute):
    address = f"{server}?table=web.clicks&order_by=at"
    prints = {find_source(address, CONTRACT).fingerprint() for _ in range(3)}
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT 1", "the database refuses .*web.t.* does not exist"),
        ("CREATE TABLE web.t (at int, click int, number int)", r"refuses .*column \"word\""),
        ("CREATE TABLE web.t (click int, number int, word text)", r"refuses .*column \"at\""),
        (
            "CREATE TABLE web.t AS SELECT 1 AS at, 1 AS click, 1.5 AS number, 'a' AS word",
            "column number is of the type .*, the contract says integer",
        ),
        (
            "CREATE TABLE web.t AS SELECT NULL::int AS at, 1 AS click, 1 AS number, 'a' AS word",
            "1 rows have no at, so their order is not known",
        ),
        ("CREATE TABLE web.t (at int, click int, number int, word text)", "no row is left"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(statement, message, server, execute, tmp_path):
    execute(statement)
    with pytest.raises(DataError, match=message) as caught:
        events_of(f"{server}?table=web.t&order_by=at", tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_wrong_password_is_not_repeated(server, execute, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "wrong-password")
    with pytest.raises(
        DataError, match=r"the database refuses .*check the address, PGPASSWORD"
    ) as c:
        events_of(f"{server}?table=web.t&order_by=at", tmp_path)
    assert "wrong-password" not in str(c.value)
    assert "\n" not in str(c.value)


def test_count_and_rows_are_of_one_snapshot(server, execute):
    execute(
        "CREATE TABLE web.t AS SELECT n AS at, 1 AS click, n AS number, 'a' AS word "
        "FROM generate_series(1, 5) n"
    )
    table = find_source(f"{server}?table=web.t&order_by=at", CONTRACT).table
    with postgres.reading(table, ["at"]) as (rows, batches):
        execute("INSERT INTO web.t VALUES (6, 1, 6, 'b')")
        assert rows == sum(batch.num_rows for batch in batches) == 5


def test_names_are_quoted(server, execute, tmp_path):
    execute(
        'CREATE TABLE web."Odd ""name" ("At" int, click int, number int, word text)',
        'INSERT INTO web."Odd ""name" VALUES (1, 1, 1, \'a\')',
    )
    info, _ = events_of(f"{server}?table=web.Odd+%22name&order_by=At", tmp_path)
    assert info.rows == 1
