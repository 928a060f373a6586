"""A registry client that is killed after its n-th change, and counts them."""

from typing import Any

from mlflow.tracking import MlflowClient

CHANGES = {
    "create_registered_model",
    "create_model_version",
    "delete_model_version",
    "set_model_version_tag",
    "delete_model_version_tag",
    "set_registered_model_alias",
    "delete_registered_model_alias",
}


class Killed(BaseException):
    """What no `except Exception` stops."""


class CrashingClient:
    """Passes everything on; raises Killed right after the change number `after`."""

    def __init__(self, client: MlflowClient, after: int | None, watch: Any = None):
        self._client, self._after, self._watch = client, after, watch
        self.changes = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in CHANGES:
            return method

        def change(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            self.changes += 1
            if self._watch is not None:
                self._watch()
            if self.changes == self._after:
                raise Killed
            return result

        return change
