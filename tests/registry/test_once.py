"""Registration happens once: retried, killed, and by two processes at the same moment."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from crashing import CrashingClient, Killed
from mlflow.tracking import MlflowClient

from mutualctr.registry.once import Artifact, is_ready, version_once, with_key

numbered = itertools.count()


@pytest.fixture(scope="module")
def client(tracking_uri) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking_uri)


@pytest.fixture
def name() -> str:
    return f"once{next(numbered)}"


@pytest.fixture
def artifact(tmp_path, client):
    run = client.create_run(client.create_experiment(f"once {tmp_path}"))

    def made() -> Artifact:
        return Artifact(str(tmp_path), run.info.run_id, None)

    return made


def test_the_same_key_is_the_same_version_and_logs_nothing_again(client, name, artifact):
    first = version_once(client, name, "a", artifact, {"auc": 0.5})

    def never() -> Artifact:
        raise AssertionError("logged again")

    assert version_once(client, name, "a", never, {"auc": 0.5}).version == first.version
    assert version_once(client, name, "b", artifact, {}).version != first.version
    assert first.tags["auc"] == "0.5"
    assert is_ready(first)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_killed_registration_is_completed_by_the_next_one(client, name, artifact, after):
    with pytest.raises(Killed):
        version_once(CrashingClient(client, after), name, "a", artifact, {})
    version = version_once(client, name, "a", artifact, {})
    assert int(version.version) == 1
    assert is_ready(version)
    assert len(with_key(client, name, "a")) == 1


def test_of_two_that_came_into_being_the_first_stays(client, name, artifact):
    version_once(client, name, "a", artifact, {})
    made = artifact()
    tags = {"mutualctr_key": "a", "state": "pending"}
    client.create_model_version(name, made.source, made.run_id, tags=tags)
    assert int(version_once(client, name, "a", artifact, {}).version) == 1
    assert [int(v.version) for v in with_key(client, name, "a")] == [1]


RACER = """
import sys, time
from pathlib import Path
from mlflow.tracking import MlflowClient
from mutualctr.registry.once import Artifact, version_once
uri, name, run_id, folder, me, other = sys.argv[1:]
def artifact():
    # Both have seen that no version has the key before either makes one.
    (Path(folder) / me).touch()
    while not (Path(folder) / other).exists():
        time.sleep(0.01)
    return Artifact(folder, run_id, None)
print(version_once(MlflowClient(tracking_uri=uri), name, "a", artifact, {}).version)
"""


def test_two_processes_at_once_make_one_version(client, name, artifact, tracking_uri, tmp_path):
    made = artifact()
    client.create_registered_model(name)
    arguments = [sys.executable, "-c", RACER, tracking_uri, name, made.run_id, str(tmp_path)]
    racers = [
        subprocess.Popen([*arguments, *who], stdout=subprocess.PIPE, text=True)
        for who in (("one", "two"), ("two", "one"))
    ]
    answers = [racer.communicate(timeout=120)[0].strip() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert {path.name for path in Path(tmp_path).iterdir()} == {"one", "two"}
    assert answers == ["1", "1"]
    (version,) = client.search_model_versions(f"name = '{name}'")
    assert is_ready(version)
