"""Who is told what: the list under `extra: alerts:` of a run's file.

It stands in ZenML's `extra`, not among the parameters: who is told decides no number, and there no
cache key sees it. Secrets are named, never written: an environment variable, or a ZenML secret.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from mutualctr.closed import Closed, nearest, parse
from mutualctr.errors import ConfigError

Event = Literal["failure", "promotion", "kept", "drift", "alarm"]


class Secret(Closed):
    """Where a secret value lies; exactly one of the two."""

    env: str | None = None
    """Name of an environment variable."""
    zenml: str | None = None
    """`secret.key` in ZenML's secret store."""

    @model_validator(mode="after")
    def _one_place(self) -> "Secret":
        if (self.env is None) == (self.zenml is None):
            raise ValueError("give either `env: NAME` or `zenml: secret.key`, not the value.")
        if self.zenml is not None and self.zenml.count(".") != 1:
            raise ValueError(f"`zenml: {self.zenml}` must read `secret.key`.")
        return self


class WebhookAlert(Closed):
    """POST of one JSON object: event, pipeline, run, time, sentence."""

    kind: Literal["webhook"]
    url: Secret
    events: tuple[Event, ...] = Field(min_length=1)


class SlackAlert(Closed):
    """Slack's incoming webhook: POST of {"text": …}."""

    kind: Literal["slack"]
    url: Secret
    events: tuple[Event, ...] = Field(min_length=1)


class EmailAlert(Closed):
    """One mail per event over SMTP."""

    kind: Literal["email"]
    host: str
    port: int = Field(ge=1, le=65535)
    security: Literal["none", "starttls", "tls"]
    user: Secret | None = None
    """Null where the server asks for no login; else with `password`."""
    password: Secret | None = None
    sender: str
    to: tuple[str, ...] = Field(min_length=1)
    events: tuple[Event, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _login_in_the_dark(self) -> "EmailAlert":
        if (self.user is None) != (self.password is None):
            raise ValueError("give both `user` and `password`, or neither.")
        if self.user is not None and self.security == "none":
            raise ValueError("a password needs `security: starttls` or `tls`.")
        return self


class FileAlert(Closed):
    """One JSON line per event at the end of a file."""

    kind: Literal["file"]
    path: str
    events: tuple[Event, ...] = Field(min_length=1)


Alert = WebhookAlert | SlackAlert | EmailAlert | FileAlert
KINDS: dict[str, type[Alert]] = {
    "webhook": WebhookAlert,
    "slack": SlackAlert,
    "email": EmailAlert,
    "file": FileAlert,
}


def parse_alerts(raw: Any, where: str) -> list[Alert]:
    """The list as records; null is the empty one. Raises ConfigError with one sentence."""
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise ConfigError(f"{where}: must be a list of `kind: …` blocks.")
    alerts = []
    for number, entry in enumerate(raw):
        kind = entry.get("kind") if isinstance(entry, dict) else None
        if kind not in KINDS:
            raise ConfigError(
                f"{where}.{number}: `kind` is {kind!r}; {nearest(str(kind), list(KINDS))}"
            )
        alerts.append(parse(KINDS[kind], entry, f"{where}.{number}"))
    return alerts
