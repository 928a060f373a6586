"""Up and down again: every byte, in checked parts, from a store that fails in passing."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remote import s3_store

from mutualctr.errors import StackError
from mutualctr.files import folder_digest
from stack import transfer


@pytest.fixture(scope="module", params=["disk", "s3"])
def store(request, tracking_uri, tmp_path_factory):
    if request.param == "s3":
        pytest.importorskip("s3fs", reason="the S3 store needs the `cloud` extra")
        pytest.importorskip("moto", reason="the S3 server is moto")
        with s3_store("clicks") as remote:
            yield remote
        return
    from zenml.client import Client

    yield Client().active_stack.artifact_store


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(transfer, "PART_BYTES", 10)
    monkeypatch.setattr(transfer.time, "sleep", lambda seconds: None)


@pytest.fixture
def written(tmp_path):
    folder = tmp_path / "out"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "ids.npy").write_bytes(bytes(range(35)))
    (folder / "train" / "exact.npy").write_bytes(b"x" * 10)
    (folder / "empty").write_bytes(b"")
    (folder / "page.html").write_text("<html>")
    return folder


def test_a_folder_comes_back_whole(store, small_parts, written, tmp_path):
    uri = f"{store.path}/{tmp_path.name}/whole"
    manifest = transfer.upload(store, written, uri)
    assert {entry.name: (entry.size, len(entry.parts)) for entry in manifest} == {
        "empty": (0, 1), "page.html": (6, 1), "train/exact.npy": (10, 1), "train/ids.npy": (35, 4),
    }  # fmt: skip
    listed = sorted(str(name).split("/")[-1] for name in store.listdir(f"{uri}/train"))
    assert listed == ["exact.npy", "ids.npy.parts"]
    assert store.exists(f"{uri}/train/ids.npy.parts/00003")
    transfer.download(store, uri, manifest, tmp_path / "in")
    assert folder_digest(tmp_path / "in") == folder_digest(written)


def test_a_spoilt_part_is_noticed(store, small_parts, written, tmp_path):
    uri = f"{store.path}/{tmp_path.name}/spoilt"
    manifest = transfer.upload(store, written, uri)
    with store.open(f"{uri}/train/ids.npy.parts/00002", "wb") as file:
        file.write(b"something else")
    with pytest.raises(StackError, match=r"parts/00002 cannot be read in 4 tries \(its content"):
        transfer.download(store, uri, manifest, tmp_path / "in")


def test_an_absent_part_is_noticed(store, small_parts, written, tmp_path):
    uri = f"{store.path}/{tmp_path.name}/absent"
    manifest = transfer.upload(store, written, uri)
    store.remove(f"{uri}/train/ids.npy.parts/00001")
    with pytest.raises(StackError, match="parts/00001 cannot be read"):
        transfer.download(store, uri, manifest, tmp_path / "in")


def test_a_store_that_fails_in_passing_is_insisted_on(
    store, small_parts, written, tmp_path, monkeypatch
):
    uri, failures = f"{store.path}/{tmp_path.name}/flaky", []
    really = store.open

    @contextlib.contextmanager
    def flaky(place, mode="r"):
        if failures.count(place) < 2:
            failures.append(place)
            raise ConnectionError("reset by peer")
        with really(place, mode) as file:
            yield file

    monkeypatch.setattr(store, "open", flaky)
    manifest = transfer.upload(store, written, uri)
    assert len(failures) == 2 * 7
    failures.clear()
    transfer.download(store, uri, manifest, tmp_path / "in")
    assert folder_digest(tmp_path / "in") == folder_digest(written)


def test_a_manifest_cannot_lead_out(store, tmp_path):
    entry = transfer.StoredFile(name="../../etc/passwd", size=1, parts=("0",))
    with pytest.raises(StackError, match="lies outside"):
        transfer.download(store, "anywhere", (entry,), tmp_path / "in")


@given(size=st.integers(0, 10**12), part_bytes=st.integers(1, 10**9))
def test_parts_cover_the_file_and_no_more(size, part_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "PART_BYTES", part_bytes)
        parts = transfer._num_parts(size)
    assert parts * part_bytes >= size
    assert parts == 1 or (parts - 1) * part_bytes < size
