"""Telling people, without ever standing in the way of a run."""

import json
import logging
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path

from mutualctr.alerts.config import (
    Alert,
    EmailAlert,
    Event,
    FileAlert,
    Secret,
    SlackAlert,
    WebhookAlert,
)
from mutualctr.errors import UserError

TIMEOUT_SECONDS = 10.0
ATTEMPTS = 2

logger = logging.getLogger("mutualctr.alerts")
Resolve = Callable[[Secret], str]
"""The value of a secret; UserError where there is none."""


@dataclass(frozen=True)
class Message:
    """One thing that happened."""

    event: Event
    pipeline: str
    run: str | None
    """Name of the run; None where it failed before it had one."""
    time: str
    """ISO 8601, UTC."""
    sentence: str

    @property
    def title(self) -> str:
        return f"{self.pipeline}: {self.event}" + (f" ({self.run})" if self.run else "")


def tell(alerts: Iterable[Alert], messages: Iterable[Message], resolve: Resolve) -> None:
    """Send every message to every alert that asks for its event.

    A timeout of 10 s, one retry. Never raises for what an alerter does: it is logged, without the
    address, which may itself be the secret.
    """
    messages = list(messages)
    for alert in alerts:
        for message in messages:
            if message.event in alert.events:
                _try(alert, message, resolve)


def _try(alert: Alert, message: Message, resolve: Resolve) -> None:
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            _send(alert, message, resolve)
            return
        except UserError as error:
            reason = str(error)
            break
        except urllib.error.HTTPError as error:
            reason = f"the server answered {error.code}"
        except (OSError, smtplib.SMTPException, ValueError) as error:
            reason = type(error).__name__
    logger.warning(
        "The %s alert about `%s` was not delivered: %s.",
        alert.kind,
        message.event,
        reason.rstrip("."),
    )


def _send(alert: Alert, message: Message, resolve: Resolve) -> None:
    match alert:
        case WebhookAlert():
            _post(resolve(alert.url), asdict(message))
        case SlackAlert():
            _post(resolve(alert.url), {"text": f"*{message.title}*\n{message.sentence}"})
        case EmailAlert():
            _mail(alert, message, resolve)
        case FileAlert():
            path = Path(alert.path).expanduser()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(message), ensure_ascii=False) + "\n")


def _post(url: str, content: dict[str, object]) -> None:
    if not url.startswith(("https://", "http://")):
        raise ValueError("not a web address")
    request = urllib.request.Request(
        url,
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "mutualctr"},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
        pass


def _mail(alert: EmailAlert, message: Message, resolve: Resolve) -> None:
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.title.split())
    mail["From"], mail["To"] = alert.sender, ", ".join(alert.to)
    mail.set_content(f"{message.sentence}\n\nRun: {message.run}\nTime: {message.time}\n")
    connect = smtplib.SMTP_SSL if alert.security == "tls" else smtplib.SMTP
    with connect(alert.host, alert.port, timeout=TIMEOUT_SECONDS) as server:
        if alert.security == "starttls":
            server.starttls()
        if alert.user is not None and alert.password is not None:
            server.login(resolve(alert.user), resolve(alert.password))
        server.send_message(mail)
