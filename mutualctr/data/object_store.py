"""Files in S3 or Google Cloud Storage: listed and read through obstore, without a local copy.

Credentials and endpoints come from the usual environment (AWS_*, GOOGLE_*), never from a
configuration. A file is read only as the version that was listed: its entity tag goes with the
request, so an object that is replaced in between is an error and not a mixture.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from re import fullmatch
from typing import Any
from urllib.parse import urlsplit

from mutualctr.data.stored import CHUNK_BYTES
from mutualctr.errors import DataError

SCHEMES = ("s3", "gs")


@dataclass(frozen=True)
class RemoteFile:
    """One object."""

    name: str
    """Its address, such as s3://bucket/daily/part-0.tsv.gz."""
    size: int
    tag: str
    """Entity tag, or the time of the last change where the store gives none."""
    store: Any = field(repr=False, compare=False)
    key: str

    def version(self) -> str:
        return f"{self.size} {self.tag}"

    def open(self) -> "_Stream":
        import obstore
        from obstore.exceptions import BaseError, PreconditionError

        try:
            return _Stream(
                self.name, obstore.get(self.store, self.key, options={"if_match": self.tag})
            )
        except PreconditionError:
            raise DataError(
                f"{self.name} changed while the run was reading; run again when it is written."
            ) from None
        except (BaseError, OSError) as error:
            raise _refused(self.name, error) from None


class _Stream:
    """An object's bytes with read(n)."""

    def __init__(self, name: str, answer: Any):
        self._name, self._rest = name, b""
        self._chunks: Iterator[Any] = iter(answer.stream(min_chunk_size=CHUNK_BYTES))

    def read(self, size: int = -1) -> bytes:
        from obstore.exceptions import BaseError

        parts, wanted = [self._rest], size if size >= 0 else float("inf")
        have = len(self._rest)
        while have < wanted:
            try:
                chunk = bytes(next(self._chunks, b""))
            except (BaseError, OSError) as error:
                raise _refused(self._name, error) from None
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        if size < 0:
            size = len(data)
        self._rest = data[size:]
        return data[:size]

    def close(self) -> None:
        self._chunks = iter(())


def remote_files(address: str) -> list[RemoteFile]:
    """The objects that `scheme://bucket/key` names, in the order of their keys.

    The key may be an object's, a prefix that stands for everything below it, or a pattern with
    `*`, `?` or `[…]`, in which `*` also matches a slash. Names that start with a dot or an
    underscore are left out below a prefix. Raises DataError: obstore is absent, the store
    refuses, nothing is there.
    """
    try:
        import obstore
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError:
        raise DataError(
            f"{address} needs the package obstore; run `pip install 'mutualctr[object-store]'`."
        ) from None
    parts = urlsplit(address, allow_fragments=False)
    bucket = f"{parts.scheme}://{parts.netloc}"
    key = (parts.path + (f"?{parts.query}" if parts.query else "")).lstrip("/")
    if not parts.netloc:
        raise DataError(f"{address} names no bucket; write {parts.scheme}://bucket/key.")
    try:
        store = from_url(bucket, retry_config={"max_retries": 3})
        if not _is_pattern(key) and key and not key.endswith("/"):
            try:
                return [_remote(bucket, store, obstore.head(store, key))]
            except FileNotFoundError:
                pass
        listed = [
            entry
            for page in store.list(_fixed_part(key) or None)
            for entry in page
            if _wanted(entry["path"], key)
        ]
    except (BaseError, OSError) as error:
        raise _refused(address, error) from None
    if not listed:
        raise DataError(f"There is nothing at {address}; check the bucket and the key.")
    return [_remote(bucket, store, entry) for entry in sorted(listed, key=lambda e: e["path"])]


def _remote(bucket: str, store: Any, entry: Any) -> RemoteFile:
    tag = entry["e_tag"] or entry["last_modified"].isoformat()
    return RemoteFile(f"{bucket}/{entry['path']}", entry["size"], tag, store, entry["path"])


def _is_pattern(key: str) -> bool:
    return any(character in key for character in "*?[")


def _fixed_part(key: str) -> str:
    """Whole folders before the first wildcard: object stores list by folder."""
    if not _is_pattern(key):
        return key.rstrip("/")
    first = min(key.index(character) for character in "*?[" if character in key)
    return key[:first].rpartition("/")[0]


def _wanted(path: str, key: str) -> bool:
    if _is_pattern(key):
        return fullmatch(translate(key), path) is not None
    below = path.removeprefix(key.rstrip("/")).lstrip("/")
    return not any(part.startswith((".", "_")) for part in below.split("/"))


def _refused(name: str, error: Exception) -> DataError:
    reason = str(error).splitlines()[0]
    return DataError(
        f"{name}: the store refuses ({reason[:200]}); check the address, the credentials in the "
        "environment (AWS_*, GOOGLE_*) and the network."
    )
