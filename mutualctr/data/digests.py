"""SHA-256 of local files, remembered: a folder of old partitions is not read again every night.

What is remembered is bound to path, size, inode and both times of the file, as git does it; a file
that was changed within the last seconds is not remembered, since a clock's tick could hide an edit.
"""

import json
import os
import time
from pathlib import Path

from mutualctr.data.stored import LocalFile, unreadable
from mutualctr.files import file_digest, replacing

MEMORY_FILE = "digests.json"
SETTLED_SECONDS = 5


def content_digests(files: list[LocalFile]) -> list[str]:
    """SHA-256 of each file's bytes as they lie on the disk, in hex. Raises DataError."""
    path = _folder() / MEMORY_FILE
    known = _read(path)
    digests, learned = [], {}
    for file in files:
        if not file.path.is_file():
            file.open()  # says so in a sentence
        name, version = str(file.path.resolve()), file.version()
        if known.get(name, {}).get("version") != version:
            settled = time.time() - file.path.stat().st_ctime > SETTLED_SECONDS
            try:
                digest = file_digest(file.path)
            except OSError as error:
                raise unreadable(file.name, error) from None
            if not settled or file.version() != version:
                digests.append(digest)
                continue
            learned[name] = {"version": version, "sha256": digest}
        digests.append((learned.get(name) or known[name])["sha256"])
    if learned:
        _write(path, learned)
    return digests


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "mutualctr"


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _write(path: Path, learned: dict[str, dict[str, str]]) -> None:
    """Add to what is known now; files that are gone are forgotten. Read-only homes lose nothing."""
    known = {name: entry for name, entry in _read(path).items() if os.path.exists(name)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(known | learned, indent=1), encoding="utf-8")
    except OSError:
        return
