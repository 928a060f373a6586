"""References in a local store are moved, in a remote one copied; both come back whole."""

import json

import pytest

from mutualctr.reference import Models


@pytest.fixture(params=["local", "remote"])
def store(request, tracking_uri, monkeypatch):
    """The real local store; `remote` makes it say that its files are elsewhere."""
    from zenml.client import Client

    store = Client().active_stack.artifact_store
    if request.param == "remote":
        monkeypatch.setattr(type(store.config), "is_local", property(lambda self: False))
    return store


def test_a_reference_comes_back_whole(store, tmp_path):
    from stack.materializer import ReferenceMaterializer
    from stack.scratch import scratch

    with scratch() as folder:
        (folder / "0").mkdir()
        (folder / "0" / "weights.safetensors").write_bytes(bytes(range(256)))
        (folder / "page.html").write_text("<!doctype html>")
        saved = Models.of(folder, run_ids=("abc",))
    uri = f"{store.path}/test/{tmp_path.name}"
    store.makedirs(uri)
    materializer = ReferenceMaterializer(uri, store)
    materializer.save(saved)
    assert not saved.folder.exists()
    loaded = materializer.load(Models)
    assert loaded.run_ids == ("abc",)
    assert loaded.digest == saved.digest == materializer.compute_content_hash(loaded)
    assert Models.of(loaded.folder, run_ids=("abc",)).digest == saved.digest
    (weights,) = loaded.checkpoints
    assert (weights / "weights.safetensors").read_bytes() == bytes(range(256))
    assert [page.split("/")[-1] for page in materializer.save_visualizations(loaded)] == [
        "page.html"
    ]
    assert json.loads((store.open(f"{uri}/reference.json", "r")).read())["run_ids"] == ["abc"]


def test_scratch_is_gone_after_a_failure(store):
    from stack.scratch import scratch

    folders = []

    def fail() -> None:
        with scratch() as folder:
            folders.append(folder)
            (folder / "half").write_text("")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not folders[0].exists()
