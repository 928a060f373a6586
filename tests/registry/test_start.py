"""Where a peer's pretraining begins: the served version's cohort, whatever has moved since."""

import itertools

import pytest
from mlflow.tracking import MlflowClient

from mutualctr.cohort import PeerSpec, Start
from mutualctr.registry import aliases
from mutualctr.registry.once import Artifact, version_once
from mutualctr.registry.start import Ancestor, find_starts, lineage_tag

numbered = itertools.count()
DEEPFM, DCN = (PeerSpec(architecture=a, seed=1, options={}) for a in ("deepfm", "dcn"))
COHORT = [DEEPFM, DCN]


class Registry:
    """A served model of its own whose nights are written down as runs would."""

    def __init__(self, client: MlflowClient, folder):
        self.client, self.name = client, f"start{next(numbered)}"
        run = client.create_run(client.create_experiment(f"start {folder}"))
        self._artifact = Artifact(str(folder), run.info.run_id, None)

    def _version(self, name, key, tags=None):
        return version_once(self.client, name, key, lambda: self._artifact, tags or {})

    def night(self, source, champion, cohort=COHORT, promoted=True):
        """Register a cohort and its served version; returns the latter's name."""
        peers = [
            Ancestor(
                spec=spec,
                version=self._spoken(self._version(f"{self.name}-{spec.architecture}", source)),
            )
            for spec in cohort
        ]
        served = self._version(self.name, source, lineage_tag(source, champion, peers))
        if promoted:
            before = aliases.at_alias(self.client, self.name, aliases.CHAMPION)
            assert aliases.promote(self.client, served, before, "test")
        return self._spoken(served)

    def starts(self, source, specs=COHORT):
        return find_starts(self.client, self.name, specs, source)

    @staticmethod
    def _spoken(version) -> str:
        return f"{version.name}/{version.version}"


@pytest.fixture
def registry(tracking_uri, tmp_path) -> Registry:
    return Registry(MlflowClient(tracking_uri=tracking_uri), tmp_path)


def test_without_a_champion_every_peer_starts_fresh(registry):
    none = f"{registry.name} has no champion yet, so every peer starts fresh."
    assert registry.starts("monday") == ([None, None], none)
    registry.night("monday", None, promoted=False)  # the gate refused it
    assert registry.starts("tuesday") == ([None, None], none)


def test_peers_start_from_their_own_version_in_the_champions_cohort(registry):
    name = registry.name
    monday = registry.night("monday", None)
    assert monday == f"{name}/1"
    starts, sentence = registry.starts("tuesday")
    assert starts == [
        Start(champion=f"{name}/1", version=f"{name}-{a}/1", key="monday")
        for a in ("deepfm", "dcn")
    ]
    assert sentence == f"2 of 2 peers start from the cohort of champion {name}/1."
    registry.night("tuesday", monday, promoted=False)
    assert registry.starts("wednesday")[0] == starts  # a refused cohort is nobody's start
    registry.night("wednesday", monday)
    assert registry.starts("thursday")[0][0].version == f"{name}-deepfm/3"
    aliases.roll_back(registry.client, name, "test")
    assert registry.starts("thursday")[0] == starts


def test_a_run_that_is_repeated_starts_where_it_started(registry):
    """Cut off after its promotion, it would otherwise train again on the same clicks."""
    name = registry.name
    monday = registry.night("monday", None)
    fresh = ([None, None], f"{monday} was made of this very source from fresh peers; so is this.")
    assert registry.starts("monday") == fresh
    before, _ = registry.starts("tuesday")
    tuesday = registry.night("tuesday", monday)
    assert registry.starts("tuesday")[0] == before
    registry.client.delete_registered_model_alias(name, aliases.PREVIOUS)
    registry.client.delete_model_version(name, "1")
    gone = f"What {tuesday} began with is gone, so every peer starts fresh."
    assert registry.starts("tuesday") == ([None, None], gone)


def test_a_cohort_that_was_changed_starts_as_far_as_it_is_known(registry):
    registry.night("monday", None)
    other_seed = PeerSpec(architecture="dcn", seed=2, options={})
    other_depth = PeerSpec(architecture="dcn", seed=1, options={"cross_layers": 2})
    starts, sentence = registry.starts("tuesday", [other_seed, DEEPFM, other_depth])
    assert [start is not None for start in starts] == [False, True, False]
    assert sentence.startswith("1 of 3 peers start from the cohort of champion")
    assert sentence.endswith(", all others fresh: it has no such peer.")
    registry.client.delete_model_version(f"{registry.name}-deepfm", "1")
    assert registry.starts("tuesday", [DEEPFM])[0] == [None]


def test_a_champion_that_does_not_say_where_it_is_from_is_no_start(registry):
    registry.night("monday", None)
    registry.client.set_model_version_tag(registry.name, "1", "lineage", "{}")
    starts, sentence = registry.starts("tuesday")
    assert starts == [None, None]
    assert sentence == (
        f"{registry.name}/1 does not say which cohort it came from, so every peer starts fresh."
    )
