"""A version is registered once, whatever is retried and whoever runs beside it.

MLflow makes a new version at every call and knows no unique tag. What it does guarantee is that
version numbers of one model grow in the order in which versions come into being, and are never
used again. So versions carry the key of what they serve, and among versions of one key the one
with the lowest number is the version: whoever made another deletes it. No lock, so it holds over
any store that MLflow has, and whoever was killed in between is completed by the next caller.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from mlflow.tracking import MlflowClient

KEY_TAG = "mutualctr_key"
STATE_TAG = "state"
PENDING, READY = "pending", "ready"


@dataclass(frozen=True)
class Artifact:
    """What a version points at: a logged model and the run it was logged under."""

    source: str
    run_id: str
    model_id: str


def version_once(
    client: MlflowClient,
    name: str,
    key: str,
    artifact: Callable[[], Artifact],
    tags: Mapping[str, Any],
) -> ModelVersion:
    """The one version of `name` whose content is `key`; it is made where there is none.

    `artifact` logs the model; it is called only where no version has the key. The version is
    pending until it is known to be the only one, then ready.
    """
    _create_model(client, name)
    if not with_key(client, name, key):
        made = artifact()
        client.create_model_version(
            name,
            source=made.source,
            run_id=made.run_id,
            model_id=made.model_id,
            tags={KEY_TAG: key, STATE_TAG: PENDING}
            | {tag: str(value) for tag, value in tags.items()},
        )
    first, *others = with_key(client, name, key)
    for other in others:
        _delete(client, other)
    if not is_ready(first):
        client.set_model_version_tag(name, first.version, STATE_TAG, READY)
    return client.get_model_version(name, first.version)


def with_key(client: MlflowClient, name: str, key: str) -> list[ModelVersion]:
    """All versions of that content, the lowest number first."""
    found = client.search_model_versions(f"name = '{name}' and tags.{KEY_TAG} = '{key}'")
    return sorted(found, key=lambda version: int(version.version))


def is_ready(version: ModelVersion) -> bool:
    """Whether its registration came to its end."""
    return version.tags.get(STATE_TAG, READY) == READY  # versions before the tag were never pending


def _create_model(client: MlflowClient, name: str) -> None:
    if client.search_registered_models(f"name = '{name}'"):
        return
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise


def _delete(client: MlflowClient, version: ModelVersion) -> None:
    """Delete a version; another process may have been faster."""
    try:
        client.delete_model_version(version.name, version.version)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise
