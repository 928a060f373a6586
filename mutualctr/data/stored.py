"""Files as they are stored: on a disk or in an object store, read once from front to back.

A reader never learns which: it asks for decompressed bytes. What was read is hashed on the way,
so that the content of a file that was read to its end is known without reading it twice.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import pyarrow as pa

from mutualctr.errors import DataError

COMPRESSION = {".gz": "gzip", ".zst": "zstd"}
CHUNK_BYTES = 1 << 20
"""Bytes read at once."""


class StoredFile(Protocol):
    """What the readers need of a file."""

    @property
    def name(self) -> str:
        """What messages call it: a path or an address."""

    @property
    def size(self) -> int:
        """Bytes as it is stored."""

    def version(self) -> str:
        """A short text that changes when the content does, got without reading it all."""

    def open(self) -> Any:
        """Its raw bytes: an object with read(n) and close(). Raises DataError."""


@dataclass(frozen=True)
class LocalFile:
    """A file on a disk."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def version(self) -> str:
        """Size, times and inode; an edit in place moves the time of change, which no tool sets."""
        stat = self.path.stat()
        return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"

    def open(self) -> io.FileIO:
        if not self.path.is_file():
            raise DataError(f"{self.path}: there is no such file; check the path.")
        try:
            return self.path.open("rb", buffering=0)
        except OSError as error:
            raise unreadable(self.name, error) from None


class Reading:
    """Raw bytes of a stored file with their SHA-256, as Arrow reads from Python."""

    closed = False

    def __init__(self, file: StoredFile):
        self._file, self._raw = file, file.open()
        self._digest = hashlib.sha256()
        self.bytes_read = 0

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._raw.read(size)
        except OSError as error:
            raise unreadable(self._file.name, error) from None
        self._digest.update(data)
        self.bytes_read += len(data)
        return data

    def sha256(self) -> str:
        """Of the whole file: reads what nobody has read yet."""
        while self.read(CHUNK_BYTES):
            pass
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Close the file."""
        self._raw.close()

    def close(self) -> None:
        """Nothing: Arrow's streams call this at their end, when there may be bytes to hash."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


def suffix(file: StoredFile) -> str:
    """The last suffix of its name, such as `.gz`."""
    return PurePosixPath(file.name).suffix


def plain_bytes(file: StoredFile, reading: Reading, chunk_bytes: int) -> Iterator[bytes]:
    """Decompressed bytes, by suffix, at most `chunk_bytes` at a time.

    Arrow's streams verify checksums and end in an error where gzip or zstd data stop early.
    Raises DataError for truncated or damaged data.
    """
    compression = COMPRESSION.get(suffix(file))
    stream: Any = reading
    if compression is not None:
        stream = pa.CompressedInputStream(pa.PythonFile(reading, mode="r"), compression)
    while True:
        try:
            data = stream.read(chunk_bytes)
        except OSError as error:
            raise DataError(
                f"{file.name}: the {compression} data are truncated or damaged "
                f"({str(error).lower()}); copy or download the file again."
            ) from None
        if not data:
            return
        yield data


def unreadable(name: str, error: Exception) -> DataError:
    """The sentence for a file that is there and cannot be read."""
    reason = str(getattr(error, "strerror", None) or error).splitlines()[0].rstrip(".")
    return DataError(f"{name}: it cannot be read ({reason}); check the file and its permissions.")
