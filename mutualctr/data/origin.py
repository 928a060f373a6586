"""What `data.source` names: files in their order, wherever they are stored, or a database table.

a file, a folder of daily partitions (all files below it, by path), a glob pattern,
s3://bucket/key and gs://bucket/key (a file, a prefix, a pattern),
postgresql://user@host/database?table=clicks&order_by=id
"""

import glob
import hashlib
import itertools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from mutualctr.data.contract import Contract
from mutualctr.data.digests import content_digests
from mutualctr.data.object_store import SCHEMES, remote_files
from mutualctr.data.partitions import day_in, select
from mutualctr.data.postgres import SCHEME as POSTGRES
from mutualctr.data.postgres import Table, parse_table
from mutualctr.data.source import REPOSITORY, data_path, resolve_source
from mutualctr.data.stored import COMPRESSION, LocalFile, StoredFile
from mutualctr.errors import DataError

if TYPE_CHECKING:  # it would bring torch into every executor of Spark
    from mutualctr.config import WindowConfig


@dataclass(frozen=True)
class Source:
    """Everything that an ingest reads: files, or one table; and the files joined to them."""

    title: str
    """How reports call it."""
    files: tuple[StoredFile, ...]
    table: Table | None
    attributes: dict[str, StoredFile]
    """By the names that the contract's `joined` gives them."""
    days: tuple[date | None, ...] = ()
    """Of each file: the date in its name below the source's folder; empty where nobody looked."""

    def fingerprint(self, read: Mapping[str, str] = MappingProxyType({})) -> str:
        """A text that changes when any content does.

        `read` holds the SHA-256 of files that were read meanwhile, by name.

        Local files: SHA-256 over names and contents. Objects: over addresses, sizes and entity
        tags, so nothing is transferred. A table has no such mark that is cheap and certain: its
        text is new each time, it is read again in every run, and equal rows are the same events.
        """
        if self.table is not None:
            return f"{self.table.name} read at {time.time_ns()}"
        files = [*self.files, *self.attributes.values()]
        local = [file for file in files if isinstance(file, LocalFile)]
        unread = [file for file in local if file.name not in read]
        digests = {file.name: read[file.name] for file in local if file.name in read}
        digests |= zip((file.name for file in unread), content_digests(unread), strict=True)
        if len(files) == 1 and local:
            return digests[local[0].name]
        whole = hashlib.sha256()
        for file in files:
            content = digests.get(file.name) or file.version()
            whole.update(f"{Path(file.name).name}\0{content}\n".encode())
        return whole.hexdigest()


def find_source(
    source: str, contract: Contract, window: "WindowConfig | None" = None, root: Path = REPOSITORY
) -> Source:
    """Look up what is there now; relative names lie in the data folder.

    Of daily files only those in the window count.

    Raises DataError with one sentence: nothing there, an unknown kind of address, a package that
    the address needs and that is not installed.
    """
    scheme, separator, _ = source.partition("://")
    if separator and scheme == POSTGRES:
        if contract.joined:
            raise DataError(f"Contract {contract.name} joins files; a table cannot bring them.")
        table = parse_table(source)
        return Source(table.name, (), table, {})
    if separator and scheme in SCHEMES:
        files = _within(remote_files(source), window, _folder(source, root))
        attributes = {
            entry.file: _remote_beside(files[0].name, entry.file) for entry in contract.joined
        }
        return Source(source, files, None, attributes, _days(files, source, root))
    if separator:
        known = ", ".join(f"{known}://" for known in (*SCHEMES, POSTGRES))
        raise DataError(f"The address {source} is of no known kind; known are {known} and paths.")
    paths = local_paths(source, root)
    attributes = {entry.file: LocalFile(_beside(paths[0], entry.file)) for entry in contract.joined}
    single = len(paths) == 1 and not glob.has_magic(source)
    title = paths[0].name if single else source
    files = _within([LocalFile(path) for path in paths], window, _folder(source, root))
    return Source(title, files, None, attributes, _days(files, source, root))


def local_paths(source: str, root: Path = REPOSITORY) -> list[Path]:
    """The files of a path, folder or pattern, in the order of their paths.

    Below a folder, names that start with a dot or an underscore are no data (half-written files,
    _SUCCESS marks). Raises DataError where there is none.
    """
    path = data_path(source, root)
    if glob.has_magic(source):
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
        what = f"No file matches {source}"
        base = Path(path.anchor)
    elif path.is_dir():
        found, base = list(path.rglob("*")), path
        what = f"There is no file in the folder {source}"
    else:
        return [resolve_source(source, root)]
    paths = sorted(
        file
        for file in found
        if file.is_file()
        and (
            base != path
            or not any(part.startswith((".", "_")) for part in file.relative_to(base).parts)
        )
    )
    if not paths:
        raise DataError(f"{what}: looked in {path}; put files there or correct `data.source`.")
    return paths


def partitions_of(source: str, root: Path = REPOSITORY) -> list[str] | None:
    """Names of all files of a folder, prefix or pattern, below its part without wildcards.

    None for a single file and for a table. Raises DataError as `find_source` does.
    """
    scheme, separator, _ = source.partition("://")
    if separator and scheme == POSTGRES:
        return None
    if separator:
        names = [file.name for file in remote_files(source)]
    else:
        names = [LocalFile(path).name for path in local_paths(source, root)]
    folder = _folder(source, root)
    return None if names == [folder] else [os.path.relpath(name, folder) for name in names]


def _within(
    files: Sequence[StoredFile], window: "WindowConfig | None", folder: str
) -> tuple[StoredFile, ...]:
    if window is None:
        return tuple(files)
    by_name = {os.path.relpath(file.name, folder): file for file in files}
    return tuple(by_name[name] for name in select(list(by_name), window, None).partitions)


def _days(files: Sequence[StoredFile], source: str, root: Path) -> tuple[date | None, ...]:
    folder = _folder(source, root)
    names = (os.path.relpath(file.name, folder) for file in files)
    return tuple(day_in(Path(folder).name if name == os.curdir else name) for name in names)


def _folder(source: str, root: Path) -> str:
    """Where a source's names begin: its path or address up to the first wildcard.

    Not the folder that its files have in common: with one daily folder there, that is the day's.
    """
    plain = itertools.takewhile(lambda part: not glob.has_magic(part), source.split("/"))
    folder = "/".join(plain)
    return folder if "://" in source else str(data_path(folder or "/", root))


def _beside(path: Path, name: str) -> Path:
    for ending in ("", *COMPRESSION):
        candidate = path.with_name(name + ending)
        if candidate.is_file():
            return candidate
    raise DataError(
        f"The contract joins the file {name} to {path.name}, but {path.parent} has neither it nor "
        f"{' or '.join(name + ending for ending in COMPRESSION)}; put it there."
    )


def _remote_beside(address: str, name: str) -> StoredFile:
    folder = address.rpartition("/")[0]
    for ending in ("", *COMPRESSION):
        try:
            found = remote_files(f"{folder}/{name}{ending}")
        except DataError:
            continue
        if found[0].name == f"{folder}/{name}{ending}":
            return found[0]
    raise DataError(
        f"The contract joins the file {name} to {address}, but it is not beside it; put it there."
    )
