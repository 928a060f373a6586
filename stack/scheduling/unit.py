"""What starts the scheduler with the machine: a systemd user unit, or a line for crontab."""

import os
import shlex
import sys
from pathlib import Path

KEPT = ("ZENML_CONFIG_PATH", "ZENML_REPOSITORY_PATH", "MUTUALCTR_DATA", "ZENML_ANALYTICS_OPT_IN")
"""Environment that decides which store and which data; written down where it is set now."""


def systemd_unit() -> str:
    """A user unit: `mutualctr scheduler unit --systemd > ~/.config/systemd/user/…`.

    KillMode=mixed and no stop timeout let the run under way end before the scheduler does.
    """
    environment = "".join(
        f"Environment={_quoted(f'{name}={value}')}\n" for name, value in _kept().items()
    )
    return f"""\
# ~/.config/systemd/user/mutualctr-scheduler.service, then:
#   systemctl --user daemon-reload && systemctl --user enable --now mutualctr-scheduler
#   loginctl enable-linger    (so that it also runs while you are logged out)
[Unit]
Description=MutualCTR scheduler
After=network-online.target

[Service]
Type=exec
WorkingDirectory={_escaped(str(Path.cwd()))}
{environment}ExecStart={_quoted(str(_command()))} scheduler
Restart=on-failure
RestartSec=30
KillMode=mixed
TimeoutStopSec=infinity

[Install]
WantedBy=default.target
"""


def cron_line() -> str:
    """One line for `crontab -e`; every minute, because the schedules say when, not cron."""
    environment = "".join(f"{name}={shlex.quote(value)} " for name, value in _kept().items())
    command = (
        f"cd {shlex.quote(str(Path.cwd()))} && "
        f"{environment}{shlex.quote(str(_command()))} scheduler --once"
    )
    return f"* * * * * {command.replace('%', chr(92) + '%')}\n"


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if os.environ.get(name)}


def _command() -> Path:
    return Path(sys.executable).with_name("mutualctr")


def _escaped(text: str) -> str:
    """systemd reads % as the start of a specifier."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    text = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
