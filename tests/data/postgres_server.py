"""A PostgreSQL server of its own on loopback, for as long as a test module runs."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "not-for-logs"
USER = "reader"


def find_initdb() -> Path | None:
    """`initdb` on the path, or of Debian's newest package."""
    found = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve() if found else packaged[-1] if packaged else None


@contextmanager
def running(initdb: Path) -> Iterator[int]:
    """Yields the port. PostgreSQL refuses to run as root, so root hands the server to nobody."""
    as_root = os.getuid() == 0
    with tempfile.TemporaryDirectory(prefix="mutualctr-pg-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        other = {}
        if as_root:
            import pwd

            nobody = pwd.getpwnam("nobody")
            for path in (folder, secret):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        quiet = {"check": True, "capture_output": True, "cwd": folder, **other}
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}",
             "--no-sync", "-E", "UTF8", "--locale=C"],
            **quiet,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        control = [initdb.with_name("pg_ctl"), "-D", data, "-w"]
        options = f"-h 127.0.0.1 -p {port} -k '' -F"
        subprocess.run([*control, "-l", folder / "log", "-o", options, "start"], **quiet)
        try:
            yield port
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
