"""Folders of a remote artifact store, kept on this machine under the digest of their content.

Steps that run on one node one after another, or at the same time, fetch a folder once. Entries in
use are locked (shared) for the life of the process; when the disk is short, those that nobody uses
go, the longest unused first. $MUTUALCTR_CACHE says where; on Kubernetes mount a node's disk there.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir
from typing import IO

from mutualctr.errors import StackError

SPARE = 1.05
"""Room asked for, as a multiple of what is fetched."""
_IN_USE: list[IO[bytes]] = []


def cache_folder() -> Path:
    """Where entries lie; private to the user, since others could otherwise plant content."""
    default = Path(gettempdir()) / f"mutualctr-cache-{os.getuid()}"
    folder = Path(os.environ.get("MUTUALCTR_CACHE", default))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder == default and folder.stat().st_uid != os.getuid():
        raise StackError(f"{folder} belongs to someone else; set MUTUALCTR_CACHE to a folder.")
    return folder


def fetched(digest: str, size: int, fetch: Callable[[Path], None]) -> Path:
    """The folder of that digest, read-only for the caller; `fetch` fills it where it is absent.

    One process fetches, others wait for it. Raises StackError where the disk is too small.
    """
    entry = cache_folder() / digest
    lock = _opened(entry)
    while not _use(entry, lock):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if entry.is_dir():
            continue
        _make_room(entry.parent, size)
        partial = entry.with_name(f"{digest}.{uuid.uuid4().hex}.part")
        try:
            partial.mkdir()
            fetch(partial)
            partial.rename(entry)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return entry


def kept(digest: str, folder: Path) -> None:
    """Take over a folder that was just uploaded, if that costs no copy; else remove it."""
    entry = cache_folder() / digest
    lock = _opened(entry)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not entry.exists() and folder.stat().st_dev == entry.parent.stat().st_dev:
        folder.rename(entry)
        _use(entry, lock)
        return
    lock.close()
    shutil.rmtree(folder)


def _use(entry: Path, lock: IO[bytes]) -> bool:
    """Share the lock and keep it; False where the entry is not, or no longer, there.

    Looked at under the lock: passing from exclusive to shared lets others in between.
    """
    fcntl.flock(lock, fcntl.LOCK_SH)
    if not entry.is_dir():
        return False
    os.utime(entry)
    _IN_USE.append(lock)
    return True


def _make_room(folder: Path, size: int) -> None:
    entries = sorted(
        (path for path in folder.iterdir() if path.is_dir() and not path.suffix),
        key=lambda path: path.stat().st_mtime,
    )
    while (free := shutil.disk_usage(folder).free) < size * SPARE:
        if not entries:
            raise StackError(
                f"{folder} has {free / 1e9:.1f} GB free and {size * SPARE / 1e9:.1f} GB are "
                "needed; set MUTUALCTR_CACHE to a folder on a larger disk."
            )
        entry = entries.pop(0)
        with _opened(entry) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # in use
            shutil.rmtree(entry)


def _opened(entry: Path) -> IO[bytes]:
    return entry.with_name(f"{entry.name}.lock").open("wb")
