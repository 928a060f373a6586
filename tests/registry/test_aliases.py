"""Aliases: what each move leaves, and that a kill between any two moves loses nothing."""

import itertools

import pytest
from crashing import CrashingClient, Killed
from mlflow.tracking import MlflowClient

from mutualctr.errors import RegistryError
from mutualctr.registry import aliases
from mutualctr.registry.once import Artifact, version_once

numbered = itertools.count()


@pytest.fixture(scope="module")
def client(tracking_uri) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking_uri)


@pytest.fixture
def versions(client, tmp_path):
    """Three versions of a model of its own."""
    name = f"aliases{next(numbered)}"
    run = client.create_run(client.create_experiment(f"aliases {tmp_path}"))
    artifact = Artifact(str(tmp_path), run.info.run_id, None)
    return [version_once(client, name, key, lambda: artifact, {}) for key in "abc"]


def state(client, name) -> dict[str, int]:
    found = client.get_registered_model(name).aliases
    return {alias: int(version) for alias, version in found.items()}


def promote(client, version, against=None) -> bool:
    aliases.challenge(client, version)
    return aliases.promote(client, version, against, "test")


def test_the_first_champion_replaces_nothing(client, versions):
    first, _, _ = versions
    aliases.challenge(client, first)
    assert state(client, first.name) == {"challenger": 1}
    assert aliases.promote(client, first, None, "test")
    assert state(client, first.name) == {"champion": 1}


def test_promotions_and_rollbacks_walk_along_the_same_chain(client, versions):
    first, second, third = versions
    for version, before in ((first, None), (second, first), (third, second)):
        assert promote(client, version, before)
    assert state(client, first.name) == {"champion": 3, "previous": 2}
    assert aliases.number(aliases.roll_back(client, first.name, "test")) == 2
    assert state(client, first.name) == {"champion": 2, "previous": 1}
    assert aliases.number(aliases.roll_back(client, first.name, "test")) == 1
    assert state(client, first.name) == {"champion": 1}
    with pytest.raises(RegistryError, match="/1 replaced no version"):
        aliases.roll_back(client, first.name, "test")
    tags = client.get_model_version(third.name, 3).tags
    assert aliases.ROLLED_BACK_TAG in tags
    assert promote(client, third, first)
    assert state(client, first.name) == {"champion": 3, "previous": 1}
    assert aliases.ROLLED_BACK_TAG not in client.get_model_version(third.name, 3).tags


def test_a_champion_that_nobody_judged_is_not_replaced(client, versions):
    first, second, third = versions
    promote(client, first)
    promote(client, second, first)
    assert not promote(client, third, first)
    assert state(client, first.name) == {"champion": 2, "previous": 1, "challenger": 3}


def test_a_champion_stays_what_it_is_when_it_is_promoted_again(client, versions):
    first, second, _ = versions
    promote(client, first)
    promote(client, second, first)
    assert promote(client, second, second)
    assert state(client, first.name) == {"champion": 2, "previous": 1}


@pytest.mark.parametrize("after", range(1, 8))
def test_a_promotion_killed_after_any_change_is_completed_by_the_next(client, versions, after):
    first, second, third = versions
    promote(client, first)
    promote(client, second, first)
    served = []
    crashing = CrashingClient(
        client, after, lambda: served.append(state(client, first.name)["champion"])
    )
    try:
        promote(crashing, third, second)
        assert crashing.changes < after, "the kill came too late to kill anything"
    except Killed:
        assert set(served) <= {2, 3}  # and at every moment there was one
        champion = aliases.at_alias(client, first.name, "champion")
        assert promote(client, third, champion)
    assert state(client, first.name) == {"champion": 3, "previous": 2}


@pytest.mark.parametrize("after", range(1, 5))
def test_a_rollback_killed_after_any_change_is_completed_by_the_next(client, versions, after):
    first, second, third = versions
    for version, before in ((first, None), (second, first), (third, second)):
        promote(client, version, before)
    served = []
    crashing = CrashingClient(
        client, after, lambda: served.append(state(client, first.name)["champion"])
    )
    try:
        aliases.roll_back(crashing, first.name, "test")
        assert crashing.changes < after
    except Killed:
        assert set(served) <= {2, 3}
        if state(client, first.name) != {"champion": 2, "previous": 1}:
            aliases.roll_back(client, first.name, "test")
    assert state(client, first.name) == {"champion": 2, "previous": 1}


def test_names_say_what_they_mean(client, versions):
    name = versions[0].name
    promote(client, versions[1])
    assert aliases.number(aliases.find_version(client, name)) == 2
    assert aliases.number(aliases.find_version(client, f"{name}@champion")) == 2
    assert aliases.number(aliases.find_version(client, f"{name}/3")) == 3
    for wrong, sentence in (
        (f"{name}/7", "has no version 7; it has: 1, 2, 3"),
        (f"{name}@previous", "No version of .* is its previous; it has the aliases champion"),
        (f"{name}/x", "names no model; write NAME"),
        (f"{name}/1@champion", "names no model"),
        (f"{name}@", "names no model"),
        (f"{name}s", f"did you mean `{name}`"),
    ):
        with pytest.raises(RegistryError, match=sentence):
            aliases.find_version(client, wrong)
