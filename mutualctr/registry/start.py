"""Where tonight's pretraining begins: the cohort that the serving version comes from.

Every served version says in one tag what it came from: the source that was read, the champion that
its own cohort began with, and the version of every mutual peer. Which version a peer starts from is
decided once, before a run's steps, and handed to them: it decides weights, so it decides caching.

A champion that was made of the very source that is read now is this run's own outcome: the run was
cut off after its promotion, or is repeated. Then what that champion began with counts, so that the
repetition finds its steps done instead of training a second time on the same clicks.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient
from pydantic import ValidationError

from mutualctr.closed import Closed
from mutualctr.cohort import PeerSpec, Start
from mutualctr.registry import aliases
from mutualctr.registry.load import files_of
from mutualctr.registry.once import KEY_TAG
from mutualctr.training.warm_start import Earlier

LINEAGE_TAG = "lineage"


class Ancestor(Closed):
    """A mutual peer of a served version's cohort."""

    spec: PeerSpec
    version: str
    """Such as ctr-deepfm/31."""


class Lineage(Closed):
    """What a served version came from."""

    source: str
    """The fingerprint of what its run read."""
    champion: str | None
    """Whose cohort its own began with; None where all began from their seeds."""
    cohort: tuple[Ancestor, ...]


def find_starts(
    client: MlflowClient, name: str, specs: Sequence[PeerSpec], source: str
) -> tuple[list[Start | None], str]:
    """A start for each peer, None where it begins from its seed; and one sentence about it.

    `name` is the served model, `source` the fingerprint of what this run reads.
    """
    champion = aliases.at_alias(client, name, aliases.CHAMPION)
    fresh = [None] * len(specs)
    if champion is None:
        return fresh, f"{name} has no champion yet, so every peer starts fresh."
    while (lineage := _lineage(champion)) is not None and lineage.source == source:
        repeated = _spoken(champion)
        if lineage.champion is None:
            return fresh, f"{repeated} was made of this very source from fresh peers; so is this."
        champion = _version(client, lineage.champion)
        if champion is None:
            return fresh, f"What {repeated} began with is gone, so every peer starts fresh."
    if lineage is None:
        sentence = f"{_spoken(champion)} does not say which cohort it came from"
        return fresh, f"{sentence}, so every peer starts fresh."
    starts = [_start(client, _spoken(champion), lineage, spec) for spec in specs]
    found = sum(start is not None for start in starts)
    return starts, (
        f"{found} of {len(specs)} peers start from the cohort of champion {_spoken(champion)}"
        + (", all others fresh: it has no such peer." if found < len(specs) else ".")
    )


@contextmanager
def fetched(client: MlflowClient, start: Start | None) -> Iterator[tuple[Start, Earlier] | None]:
    """The files of a start for as long as the block runs.

    Raises RegistryError where the version was deleted meanwhile.
    """
    if start is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        files = files_of(client, aliases.find_version(client, start.version), Path(folder))
        yield start, Earlier(files["checkpoint"], files["features"])


def lineage_tag(source: str, champion: str | None, cohort: Sequence[Ancestor]) -> dict[str, str]:
    """The tag that `find_starts` of a later run reads."""
    lineage = Lineage(source=source, champion=champion, cohort=tuple(cohort))
    return {LINEAGE_TAG: json.dumps(lineage.model_dump(mode="json"))}


def _lineage(version: ModelVersion) -> Lineage | None:
    """None for a version from before there was the tag, or of another time's form."""
    try:
        return Lineage.model_validate_json(version.tags.get(LINEAGE_TAG, ""))
    except ValidationError:
        return None


def _start(client: MlflowClient, champion: str, lineage: Lineage, spec: PeerSpec) -> Start | None:
    for ancestor in lineage.cohort:
        if ancestor.spec == spec:
            version = _version(client, ancestor.version)
            if version is not None:
                return Start(champion=champion, version=ancestor.version, key=version.tags[KEY_TAG])
    return None


def _version(client: MlflowClient, text: str) -> ModelVersion | None:
    """The version called NAME/NUMBER if it is still there."""
    name = aliases.Name.parse(text)
    found = aliases.versions_of(client, name.model)
    return next((v for v in found if aliases.number(v) == int(name.version)), None)


def _spoken(version: ModelVersion) -> str:
    return f"{version.name}/{version.version}"
