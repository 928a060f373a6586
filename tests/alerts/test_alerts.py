"""Messages over real sockets on loopback, and alerters that fail without failing anything."""

import json
import logging
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mutualctr.alerts import send
from mutualctr.alerts.config import Secret, parse_alerts
from mutualctr.alerts.send import Message, tell
from mutualctr.errors import ConfigError

FAILED = Message("failure", "dml_finetune", None, "2026-01-02T03:04:05+00:00", "The disk is full.")
KEPT = Message("kept", "dml_finetune", "dml-1", "2026-01-02T03:04:05+00:00", "ctr/3 stays.")


@pytest.fixture
def web():
    """An HTTP server that keeps what it is sent; `answers` are its next status codes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.received.append(json.loads(body))
            self.send_response(server.answers.pop(0) if server.answers else 200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.received, server.answers = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def mail():
    """Just enough SMTP to receive."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            data = False
            for line in self.rfile:
                if data:
                    data = line != b".\r\n"
                    server.received.append(line.decode())
                    if not data:
                        self.wfile.write(b"250 ok\r\n")
                elif line.upper().startswith(b"DATA"):
                    data = True
                    self.wfile.write(b"354 go on\r\n")
                elif line.upper().startswith(b"QUIT"):
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    server.received.append(line.decode())
                    self.wfile.write(b"250 ok\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.received = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def hook(kind: str, *events: str) -> dict:
    return {"kind": kind, "url": {"env": "HOOK"}, "events": list(events)}


def url_of(server: HTTPServer):
    return lambda secret: f"http://127.0.0.1:{server.server_port}/{secret.env}"


def test_each_hears_only_of_its_events(web):
    alerts = parse_alerts([hook("webhook", "failure"), hook("slack", "kept")], "f")
    tell(alerts, [FAILED, KEPT], url_of(web))
    assert web.received == [
        {
            "event": "failure",
            "pipeline": "dml_finetune",
            "run": None,
            "time": "2026-01-02T03:04:05+00:00",
            "sentence": "The disk is full.",
        },
        {"text": "*dml_finetune: kept (dml-1)*\nctr/3 stays."},
    ]


def test_no_news_is_silence(web):
    tell(parse_alerts([hook("webhook", "failure")], "f"), [], url_of(web))
    assert web.received == []


def test_one_retry_helps(web):
    web.answers = [503]
    tell(parse_alerts([hook("webhook", "failure")], "f"), [FAILED], url_of(web))
    assert len(web.received) == 2


def test_a_broken_alerter_is_logged_without_its_address_and_the_next_still_hears(web, caplog):
    web.answers = [500, 500]
    alerts = parse_alerts([hook("slack", "failure"), hook("webhook", "failure")], "f")
    with caplog.at_level(logging.WARNING):
        tell(alerts, [FAILED], url_of(web))
    assert len(web.received) == 3
    assert "slack alert about `failure` was not delivered: the server answered 500" in caplog.text
    assert "HOOK" not in caplog.text


def test_nobody_listens_and_nobody_waits(caplog, monkeypatch):
    monkeypatch.setattr(send, "TIMEOUT_SECONDS", 0.2)
    alerts = parse_alerts([hook("webhook", "failure")], "f")
    tell(alerts, [FAILED], lambda secret: "http://127.0.0.1:9/")
    tell(alerts, [FAILED], lambda secret: "file:///etc/passwd")
    assert caplog.text.count("was not delivered") == 2


def test_a_missing_secret_is_named(caplog):
    def missing(secret: Secret) -> str:
        raise ConfigError(f"The environment variable {secret.env} of an alert is not set.")

    tell(parse_alerts([hook("webhook", "failure")], "f"), [FAILED], missing)
    assert "The environment variable HOOK of an alert is not set." in caplog.text


def test_a_mail(mail):
    entry = {
        "kind": "email",
        "host": "127.0.0.1",
        "port": mail.server_address[1],
        "security": "none",
        "sender": "ctr@example.org",
        "to": ["a@example.org", "b@example.org"],
        "events": ["kept"],
    }
    tell(parse_alerts([entry], "f"), [FAILED, KEPT], lambda secret: "")
    text = "".join(mail.received)
    assert text.lower().count("rcpt to:") == 2
    assert "Subject: dml_finetune: kept (dml-1)\r\n" in text
    assert "ctr/3 stays." in text
    assert "disk" not in text


def test_a_file_grows_by_a_line(tmp_path):
    path = tmp_path / "new" / "alerts.jsonl"
    entry = {"kind": "file", "path": str(path), "events": ["failure", "kept"]}
    for message in (FAILED, KEPT):
        tell(parse_alerts([entry], "f"), [message], lambda secret: "")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["failure", "kept"]


SLIPS = {
    "kind": ([{"kind": "slak"}], "did you mean `slack`?"),
    "no kind": (["slack"], "`kind` is None"),
    "no list": ({"kind": "slack"}, "must be a list"),
    "a value": ([hook("slack", "kept") | {"url": {"env": "A", "zenml": "b.c"}}], "not the value"),
    "a secret": ([hook("slack", "kept") | {"url": {"zenml": "b"}}], "must read `secret.key`"),
    "an event": ([hook("slack", "keep")], "'keep'"),
    "no event": ([hook("slack")], "events"),
    "a password in clear": (
        [
            {
                "kind": "email",
                "host": "h",
                "port": 25,
                "security": "none",
                "user": {"env": "U"},
                "password": {"env": "P"},
                "sender": "a",
                "to": ["b"],
                "events": ["kept"],
            }
        ],
        "security: starttls",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_gets_its_sentence(slip):
    wrong, words = SLIPS[slip]
    with pytest.raises(ConfigError, match=r"run\.yaml: extra\.alerts") as caught:
        parse_alerts(wrong, "run.yaml: extra.alerts")
    assert words in str(caught.value)
