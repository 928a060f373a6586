"""Files that are either whole or not there, and digests that say whether two are the same."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write to a temporary neighbour; on success it is flushed to disk and takes the name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def file_digest(path: Path) -> str:
    """SHA-256 of the file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 over the relative names and contents of all files below the folder, in hex."""
    digest = hashlib.sha256()
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    with ThreadPoolExecutor() as pool:  # hashlib lets other threads run
        for path, content in zip(paths, pool.map(file_digest, paths), strict=True):
            digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()
