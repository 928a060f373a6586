"""Sources in S3 and Google Cloud Storage, against a local server that speaks their protocols.

moto answers S3 requests. The XML interface of Google Cloud Storage, which obstore uses, has the
same requests for listing and reading, so it answers them too; signing in to Google is left out.
"""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from in_process_spark import as_tasks
from small_contracts import small_contract

from mutualctr.data.events import ingest
from mutualctr.data.object_store import remote_files
from mutualctr.data.origin import find_source
from mutualctr.errors import DataError

pytest.importorskip("obstore", reason="obstore is not installed: pip install -e '.[object-store]'")
server_of = pytest.importorskip(
    "moto.server", reason="moto is not installed: pip install -e .[dev]"
)

CONTRACT = small_contract()
BUCKET = "clicks"


@pytest.fixture(scope="module")
def endpoint():
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def put(endpoint, monkeypatch, tmp_path):
    """Stores objects; the environment leads both kinds of address to the local server."""
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "GOOGLE_SERVICE_ACCOUNT": str(tmp_path / "account.json"),
    }.items():
        monkeypatch.setenv(name, value)
    account = {
        "gcs_base_url": endpoint,
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield lambda key, body: client.put_object(Bucket=BUCKET, Key=key, Body=body, ACL="public-read")
    for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=entry["Key"])


def events_of(address, folder, **options):
    source = find_source(address, CONTRACT)
    info = ingest(source, CONTRACT, folder, **options)
    return source, info, pq.read_table(info.files)


def names(address):
    return [file.name.removeprefix(f"s3://{BUCKET}/") for file in remote_files(address)]


def test_a_file_a_prefix_and_a_pattern(put):
    for key in ("day=1/b.csv", "day=1/a.csv", "day=2/a.csv", "day=2/_SUCCESS", "day=10/x.tsv"):
        put(key, b"1,2,a\n")
    assert names("s3://clicks/day=1/a.csv") == ["day=1/a.csv"]
    assert names("s3://clicks/day=1") == ["day=1/a.csv", "day=1/b.csv"]  # not day=10
    assert names("s3://clicks/") == ["day=1/a.csv", "day=1/b.csv", "day=10/x.tsv", "day=2/a.csv"]
    assert names("s3://clicks/day=*/a.csv") == ["day=1/a.csv", "day=2/a.csv"]
    assert names("s3://clicks/*.tsv") == ["day=10/x.tsv"]


def test_partitions_of_every_kind_are_ingested(put, tmp_path):
    table = pa.table({"word": ["p"], "number": [9], "click": [1]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    put("daily/1.csv", b"1,1,a\n0,2,b\n")
    put("daily/2.csv.gz", gzip.compress(b"1,3,c\nbroken\n" + b"0,4,d\n" * 400_000))
    put("daily/3.csv.zst", pa.compress(b"1,5,e\n", codec="zstd", asbytes=True))
    put("daily/4.parquet", sink.getvalue().to_pybytes())
    source, info, events = events_of("s3://clicks/daily", tmp_path, quarantine_percent=1)
    assert (info.rows, info.malformed) == (400_005, 1)
    assert events["number"].to_pylist()[:4] == [1, 2, 3, 4]
    assert events["number"].to_pylist()[-2:] == [5, 9]
    aside = pq.read_table(tmp_path / "quarantine.parquet").to_pylist()
    assert [(r["file"], r["line"], r["row"]) for r in aside] == [
        ("s3://clicks/daily/2.csv.gz", 2, 4)
    ]
    assert all(len(entry.sha256) == 64 for entry in info.sources)
    assert not list(tmp_path.rglob("copied*"))
    before = source.fingerprint()
    put("daily/1.csv", b"1,1,a\n0,2,b\n")
    assert find_source("s3://clicks/daily", CONTRACT).fingerprint() == before
    put("daily/1.csv", b"1,1,a\n0,2,c\n")
    assert find_source("s3://clicks/daily", CONTRACT).fingerprint() != before


def test_objects_are_read_by_tasks_on_spark_too(put, tmp_path):
    put("days/1.csv", b"1,4,x\n0,,y\n")
    put("days/2.csv.gz", gzip.compress(b"0,7,\n"))
    table = pa.table({"click": [1], "number": [3], "word": ["z"]})
    pq.write_table(table, tmp_path / "3.parquet")
    put("days/3.parquet", (tmp_path / "3.parquet").read_bytes())
    address = f"s3://{BUCKET}/days/"
    _, here, expected = events_of(address, tmp_path / "here")
    _, there, found = events_of(address, tmp_path / "there", read=as_tasks)
    assert found.equals(expected)
    assert found["row"].to_pylist() == [1, 2, 3, 4]
    assert (there.sha256, there.sources) == (here.sha256, here.sources)


def test_a_truncated_object_is_refused(put, tmp_path):
    put("a.csv.gz", gzip.compress(b"1,1,a\n" * 1000)[:-3])
    with pytest.raises(DataError, match=r"s3://clicks/a.csv.gz: the gzip data are truncated"):
        events_of("s3://clicks/a.csv.gz", tmp_path)


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(put, tmp_path):
    put("a.csv", b"1,1,a\n")
    source = find_source("s3://clicks/a.csv", CONTRACT)
    put("a.csv", b"1,1,b\n")
    with pytest.raises(DataError, match=r"s3://clicks/a\.csv changed while the run was reading"):
        ingest(source, CONTRACT, tmp_path)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://clicks/none", "There is nothing at s3://clicks/none; check the bucket and the key"),
        ("s3://absent-bucket/a", "s3://absent-bucket/a: the store refuses .*AWS_"),
    ],
)
def test_what_is_not_there_gets_a_sentence(address, message, put):
    put("a.csv", b"")
    with pytest.raises(DataError, match=message) as caught:
        remote_files(address)
    assert "\n" not in str(caught.value)


def test_without_the_package_the_sentence_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(DataError, match=r"needs the package obstore; run `pip install 'mutualctr"):
        remote_files("s3://clicks/a.csv")


def test_google_cloud_storage_goes_the_same_way(put, tmp_path):
    put("daily/1.csv", b"1,1,a\n")
    put("daily/2.csv", b"0,2,b\n")
    source, info, events = events_of("gs://clicks/daily", tmp_path / "events")
    assert [file.name for file in source.files] == [f"gs://clicks/daily/{n}.csv" for n in (1, 2)]
    assert events["number"].to_pylist() == [1, 2]
    assert info.rows == 2
