"""Manifests against Kubernetes' own schemas, which kubernetes-validate carries."""

from typing import Any

import pytest

VERSIONS = ("1.28", "1.34")


def validate(
    manifest: dict[str, Any], api_version: str, kind: str, versions: tuple[str, ...] = VERSIONS
) -> None:
    """Strict: an unknown key fails, except where ZenML 0.98 is at fault (see `_without_snakes`).

    ZenML leaves the two names out; the API reads them off the path that a manifest is posted to.
    """
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="the schemas come with the `dev` extra"
    )
    whole = _without_snakes({"apiVersion": api_version, "kind": kind} | manifest)
    for version in versions:
        kubernetes_validate.validate(whole, version, strict=True)


def _without_snakes(node: Any) -> Any:
    """Drop the null keys in Python's spelling that ZenML adds to a container's securityContext.

    It merges our keys into `V1SecurityContext.to_dict()` (manifest_utils.add_pod_settings). A real
    API server drops unknown keys too, with a warning; ours, spelt right, are kept.
    """
    if isinstance(node, list):
        return [_without_snakes(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: value for name, value in value.items() if value is not None}
        if key == "securityContext"
        else _without_snakes(value)
        for key, value in node.items()
    }
