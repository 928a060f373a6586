"""Folders to and from a remote artifact store: in parallel, in checksummed parts.

A file up to PART_BYTES lies in the store under its own name, so that people can look at it. A
larger one is a folder `<name>.parts` of numbered parts, so that one file of many gigabytes is as
parallel as many files are, on every kind of store. The manifest says what belongs together.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from zenml.artifact_stores import BaseArtifactStore

from mutualctr.closed import Closed
from mutualctr.errors import StackError

PART_BYTES = 32 * 1024 * 1024
THREADS = 16
TRIES = 4


class StoredFile(Closed):
    """One file of the folder: SHA-256 per part, in order; an empty file has one empty part."""

    name: str
    size: int
    parts: tuple[str, ...]


Manifest = tuple[StoredFile, ...]
Result = TypeVar("Result")


def upload(store: BaseArtifactStore, folder: Path, uri: str) -> Manifest:
    """Copy every file below the folder to `uri`; returns what `download` needs.

    Raises StackError where a part cannot be written in several tries.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for place in sorted({f"{uri}/{_place(folder, path)}" for path in paths} | {uri}):
        store.makedirs(place)

    def put(path: Path, part: int) -> str:
        with path.open("rb") as file:
            content = os.pread(file.fileno(), PART_BYTES, part * PART_BYTES)
        name = path.relative_to(folder).as_posix()
        place = _part_uri(uri, name, path.stat().st_size, part)

        def write() -> None:
            with store.open(place, "wb") as target:
                target.write(content)

        _insistently(write, f"{place} cannot be written")
        return hashlib.sha256(content).hexdigest()

    sizes = {path: path.stat().st_size for path in paths}
    jobs = [(path, part) for path in paths for part in range(_num_parts(sizes[path]))]
    digests = dict(zip(jobs, _parallel(put, jobs), strict=True))
    return tuple(
        StoredFile(
            name=path.relative_to(folder).as_posix(),
            size=sizes[path],
            parts=tuple(digests[path, part] for part in range(_num_parts(sizes[path]))),
        )
        for path in paths
    )


def download(store: BaseArtifactStore, uri: str, manifest: Manifest, folder: Path) -> None:
    """Fetch every file of the manifest into the folder, checking each part.

    Raises StackError where a part is absent, or is not what was uploaded, in several tries.
    """
    for entry in manifest:
        path = _inside(folder, entry.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(entry.size)

    def get(entry: StoredFile, part: int) -> None:
        place = _part_uri(uri, entry.name, entry.size, part)

        def read() -> bytes:
            with store.open(place, "rb") as source:
                content = source.read()
            if hashlib.sha256(content).hexdigest() != entry.parts[part]:
                raise OSError("its content is not what was uploaded")
            return content

        content = _insistently(read, f"{place} cannot be read")
        with _inside(folder, entry.name).open("r+b") as file:
            os.pwrite(file.fileno(), content, part * PART_BYTES)

    _parallel(get, [(entry, part) for entry in manifest for part in range(len(entry.parts))])


def _parallel(job: Callable[..., Result], arguments: Iterable[tuple[object, ...]]) -> list[Result]:
    with ThreadPoolExecutor(THREADS, thread_name_prefix="transfer") as pool:
        futures = [pool.submit(job, *these) for these in arguments]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _insistently(attempt: Callable[[], Result], failure: str) -> Result:
    """Try a few times, a little later each time; stores fail in passing."""
    for number in range(TRIES):
        try:
            return attempt()
        except OSError as error:
            if number == TRIES - 1:
                raise StackError(
                    f"Artifact store: {failure} in {TRIES} tries ({error}); look at the store, "
                    "then run again."
                ) from error
            time.sleep(0.2 * 2**number)
    raise AssertionError


def _num_parts(size: int) -> int:
    return max(1, -(-size // PART_BYTES))


def _part_uri(uri: str, name: str, size: int, part: int) -> str:
    return f"{uri}/{name}.parts/{part:05d}" if _num_parts(size) > 1 else f"{uri}/{name}"


def _place(folder: Path, path: Path) -> str:
    """The folder in the store that the file's content lies in."""
    name = path.relative_to(folder)
    whole = _num_parts(path.stat().st_size) == 1
    return (name.parent if whole else name.with_name(f"{name.name}.parts")).as_posix()


def _inside(folder: Path, name: str) -> Path:
    """A manifest comes from outside: no name may lead out of the folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise StackError(f"Artifact store: a manifest names {name!r}, which lies outside it.")
    return path
