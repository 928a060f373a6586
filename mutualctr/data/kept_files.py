"""Events of finished source files, kept outside the run that made them.

A run that was killed goes on behind its last whole file, and tomorrow's run over thirty partitions
reads one. An entry is a folder that appears whole; its name is a digest over everything that its
content depends on, so a stale one is never found. Events in use are hard links to the entry's
files: neither copies nor a risk when the entry goes.
"""

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNUSED_DAYS = 14
"""An entry that no run used for so long is deleted."""


def key_of(*parts: str) -> str:
    """Name of the entry that depends on these texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def find(folder: Path, key: str) -> Path | None:
    """The entry, or None; using it keeps it alive."""
    entry = folder / key
    if not entry.is_dir():
        return None
    os.utime(entry)
    return entry


@contextmanager
def making(folder: Path, key: str) -> Iterator[Path]:
    """A folder to fill; it becomes the entry when the block ends well, and goes otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{key[:16]}.{uuid.uuid4().hex}"
    fresh.mkdir()
    try:
        yield fresh
        try:
            fresh.rename(folder / key)
        except OSError:
            # Another run made the same entry in the meantime.
            if not (folder / key).is_dir():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def link(kept: Path, target: Path) -> None:
    """The same file under another name; a copy where that is another disk."""
    try:
        os.link(kept, target)
    except OSError:
        shutil.copy2(kept, target)


def drop_unused(folder: Path) -> None:
    """Delete what no run used lately, half-made entries of killed runs included."""
    oldest = time.time() - UNUSED_DAYS * 86_400
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.stat().st_mtime < oldest:
            shutil.rmtree(entry, ignore_errors=True)
