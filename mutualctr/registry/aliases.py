"""Which version serves: the aliases `champion`, `challenger`, `previous` of a registered model.

An alias moves in one transaction, two aliases do not. So they move in an order in which every
state between two moves has a champion and can be completed by doing the same again:

promote V over C    V.replaces = C · previous → C · champion → V · challenger is taken off V
roll back V to C    V.rolled_back = when · champion → C · previous → what C replaced
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient

from mutualctr.closed import nearest
from mutualctr.errors import RegistryError
from mutualctr.registry.once import is_ready

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
REPLACES_TAG = "replaces"
ROLLED_BACK_TAG = "rolled_back"
PROMOTED_TAG = "promoted"


@dataclass(frozen=True)
class Name:
    """`ctr`, `ctr@champion` or `ctr/3`, taken apart; alias and version are never both there."""

    model: str
    alias: str | None
    version: str | None

    @classmethod
    def parse(cls, text: str) -> "Name":
        """RegistryError where the text is none of the three forms."""
        model, at, alias = text.partition("@")
        model, slash, version = model.partition("/")
        numbered = not slash or (version.isascii() and version.isdigit())
        if not model or (at and not alias) or (at and slash) or not numbered:
            raise RegistryError(
                f"`{text}` names no model; write NAME, NAME@alias or NAME/VERSION, such as "
                "ctr@champion or ctr/3."
            )
        return cls(model, alias or None, version or None)


def find_version(client: MlflowClient, text: str) -> ModelVersion:
    """The version that `ctr@champion`, `ctr/3` or `ctr` (its champion) names.

    Raises RegistryError that says what there is instead.
    """
    name = Name.parse(text)
    check_model(client, name.model)
    if name.version is None:
        alias = name.alias or CHAMPION
        found = at_alias(client, name.model, alias)
        if found is None:
            aliases = sorted(client.get_registered_model(name.model).aliases)
            raise RegistryError(
                f"No version of {name.model} is its {alias}; it has "
                f"{'the aliases ' + ', '.join(aliases) if aliases else 'no alias'}. "
                f"`mutualctr models list` shows all versions."
            )
        return found
    ready = {number(version): version for version in versions_of(client, name.model)}
    if int(name.version) not in ready:
        numbers = ", ".join(map(str, ready)) or "none"
        raise RegistryError(f"{name.model} has no version {name.version}; it has: {numbers}.")
    return ready[int(name.version)]


def number(version: ModelVersion | None) -> int | None:
    """Its number; stores give it as an integer or as text."""
    return None if version is None else int(version.version)


def check_model(client: MlflowClient, name: str) -> None:
    """RegistryError where no registered model has that name."""
    known = [model.name for model in client.search_registered_models()]
    if not known:
        raise RegistryError("No model is registered yet; `zenml pipeline run dml_finetune` does.")
    if name not in known:
        raise RegistryError(f"No registered model is called `{name}`; {nearest(name, known)}")


def versions_of(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Versions whose registration came to its end, the oldest first, with their aliases."""
    found = client.search_model_versions(f"name = '{name}'")
    ready = [client.get_model_version(name, v.version) for v in found if is_ready(v)]
    return sorted(ready, key=number)


def at_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version that has the alias, if there is one."""
    try:
        found = client.get_registered_model(name).aliases.get(alias)
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            return None
        raise
    return None if found is None else client.get_model_version(name, found)


def challenge(client: MlflowClient, version: ModelVersion) -> None:
    """Make the version the challenger, unless it serves already."""
    if number(at_alias(client, version.name, CHAMPION)) != number(version):
        client.set_registered_model_alias(version.name, CHALLENGER, version.version)


def promote(
    client: MlflowClient, version: ModelVersion, judged_against: ModelVersion | None, why: str
) -> bool:
    """Make the version the champion; False, and nothing moved, where another one now serves.

    `judged_against` is the champion that the decision looked at. MLflow cannot compare and set in
    one transaction, so two promotions within the milliseconds between this look and the move both
    pass; the later one serves then, and its predecessor is what both replaced.
    """
    name, champion = version.name, at_alias(client, version.name, CHAMPION)
    if number(champion) == number(version):
        _finish_promotion(client, champion)
        return True
    if number(champion) != number(judged_against):
        return False
    client.set_model_version_tag(name, version.version, PROMOTED_TAG, why)
    client.delete_model_version_tag(name, version.version, ROLLED_BACK_TAG)
    if champion is None:
        client.delete_model_version_tag(name, version.version, REPLACES_TAG)
    else:
        client.set_model_version_tag(name, version.version, REPLACES_TAG, champion.version)
        client.set_registered_model_alias(name, PREVIOUS, champion.version)
    client.set_registered_model_alias(name, CHAMPION, version.version)
    _finish_promotion(client, client.get_model_version(name, version.version))
    return True


def roll_back(client: MlflowClient, name: str, why: str) -> ModelVersion:
    """Let the predecessor serve again; returns it. Doing it again goes one version further back.

    A rollback that was killed half way is completed instead: then nothing else moves.
    Raises RegistryError where there is no champion or no predecessor.
    """
    champion = find_version(client, f"{name}@{CHAMPION}")
    previous = at_alias(client, name, PREVIOUS)
    if number(previous) == number(champion):
        _set_previous(client, champion)
        return champion
    if previous is None:
        raise RegistryError(
            f"{name}/{champion.version} replaced no version, so there is none to go back to; "
            f"`mutualctr models promote {name}/VERSION` moves to any."
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.set_model_version_tag(name, champion.version, ROLLED_BACK_TAG, f"{now} {why}")
    client.set_registered_model_alias(name, CHAMPION, previous.version)
    _set_previous(client, previous)
    return client.get_model_version(name, previous.version)


def _finish_promotion(client: MlflowClient, champion: ModelVersion) -> None:
    """What comes after the move of `champion`, and what a killed promotion left undone."""
    _set_previous(client, champion)
    challenger = at_alias(client, champion.name, CHALLENGER)
    if number(challenger) == number(champion):
        client.delete_registered_model_alias(champion.name, CHALLENGER)


def _set_previous(client: MlflowClient, champion: ModelVersion) -> None:
    """`previous` → what the champion replaced; no alias where that is nothing."""
    replaced = champion.tags.get(REPLACES_TAG)
    if replaced in {str(number(version)) for version in versions_of(client, champion.name)}:
        client.set_registered_model_alias(champion.name, PREVIOUS, replaced)
    elif at_alias(client, champion.name, PREVIOUS) is not None:
        client.delete_registered_model_alias(champion.name, PREVIOUS)
