"""Ingest: a source becomes files/00000.parquet, …, typed as its contract says and nothing else.

One pass in bounded memory: a file's bytes are hashed, unpacked, cut into blocks of lines, typed
and written; Parquet files and tables come in batches. Arrow does what DuckDB's reader does not: it
verifies the checksum of gzip data.

Lines are counted apart from the cutting, and rows in = rows out + rows in quarantine is asserted
for every file.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mutualctr.data import kept_files
from mutualctr.data.columnar import parquet_batches, typed_batches
from mutualctr.data.completion import complete, read_attributes
from mutualctr.data.contract import ROW_COLUMN, Contract
from mutualctr.data.delimited import event_schema, typed_tables
from mutualctr.data.digests import content_digests
from mutualctr.data.event_files import FILES_RECORD, file_name, write_file
from mutualctr.data.malformed import MALFORMED_FILE, Malformed, Quarantine, join_quarantines
from mutualctr.data.origin import Source
from mutualctr.data.postgres import Table
from mutualctr.data.postgres import reading as reading_table
from mutualctr.data.progress import Advance, ingest_progress
from mutualctr.data.source import BLOCK_BYTES, Counted, check_compression, cut_lines
from mutualctr.data.stored import LocalFile, Reading, StoredFile, plain_bytes, suffix
from mutualctr.errors import DataError
from mutualctr.files import replacing

GROUPS_IN_MEMORY = 5
"""Row groups that are in memory together: gathered, handed on, coded, handed on, written."""

Aside = Callable[[Malformed], None] | None
Part = StoredFile | Table


@dataclass(frozen=True)
class FileInfo:
    """What became of one source file."""

    file: str
    sha256: str
    """Of its bytes as they are stored; empty for a table."""
    first_row: int
    """The number of its first row; malformed rows count."""
    rows: int
    malformed: int
    first_malformed: str


@dataclass(frozen=True)
class EventsInfo:
    """What ingest wrote and from what."""

    files: Path
    """Folder of the Parquet files (`event_files.py`)."""
    rows: int
    malformed: int
    """Rows in quarantine.parquet beside the folder."""
    sha256: str
    """Of the source file as it is stored; of several, over their names and digests."""
    columns: tuple[str, ...]
    """Of the Parquet files: `row`, then the contract's in their order."""
    sources: tuple[FileInfo, ...]


Entry = tuple[Path, FileInfo]
"""The folder with events.parquet (and quarantine.parquet) of one source file, and its record."""


def ingest(
    source: Path | Source,
    contract: Contract,
    folder: Path,
    *,
    quarantine_percent: float | None = None,
    memory_mb: int | None = None,
    kept: Path | None = None,
    code: str = "",
    read: "ReadFiles | None" = None,
) -> EventsInfo:
    """Read a source into `folder/files/`, one Parquet file for each of its files.

    Integer columns become int64, the others text; the contract's missing text (for both) becomes
    null; the order of the files and in them is kept. `row` numbers the rows of all files together
    from 1. Values are not judged here: a label of 2 is an integer, and the contract's expectations
    speak of it later. `folder/files.json` says which file begins at which row, and of which
    day it is where its name has one.

    Without `quarantine_percent` the first malformed row raises DataError with file, line, column
    and rule. With it, malformed rows go to `folder/quarantine.parquet`, and only more than that
    share of all rows raises. `memory_mb` bounds the rows that wait to be written. Files that were
    finished earlier by the same `code` are taken from `kept` and not read again. `read` says how
    the files are gone through; null reads one after the other, here.

    Raises DataError as well for what no row is to blame for: damaged compression, a wrong header,
    no rows, a file that changes while it is read.
    """
    if isinstance(source, Path):
        source = Source(source.name, (LocalFile(source),), None, {})
    folder.mkdir(parents=True, exist_ok=True)
    keep = None if source.table is not None else kept
    with tempfile.TemporaryDirectory(dir=folder, prefix=".ingest-") as unkept:
        reader = FileReader(
            contract=contract,
            attributes={
                name: read_attributes(file, name, contract)
                for name, file in source.attributes.items()
            },
            lenient=quarantine_percent is not None,
            group_bytes=None if memory_mb is None else (memory_mb << 20) // GROUPS_IN_MEMORY,
            keep=keep or Path(unkept),
            lasts=keep is not None,
            depends_on=(code, *(_sha256(file) for file in source.attributes.values())),
        )
        parts = source.files or (source.table,)
        entries = (read or read_one_by_one)(reader, parts)
        infos = [info for _, info in entries]
        _check_share(infos, quarantine_percent, source.title)
        rows = sum(info.rows for info in infos)
        if rows == 0:
            raise DataError(f"{source.title}: no row is left; give data that has rows.")
        _assemble(entries, source, folder)
    if keep is not None:
        kept_files.drop_unused(keep)
    return EventsInfo(
        files=folder / "files",
        rows=rows,
        malformed=sum(info.malformed for info in infos),
        sha256=_joint_sha256(infos),
        columns=tuple(event_schema(contract).names),
        sources=tuple(infos),
    )


@dataclass(frozen=True)
class FileReader:
    """Reads single files of one source; it can be sent to another process."""

    contract: Contract
    attributes: dict[str, pa.Table]
    lenient: bool
    group_bytes: int | None
    keep: Path
    """Folder of the finished files."""
    lasts: bool
    """Whether that folder outlives this ingest."""
    depends_on: tuple[str, ...]
    """What decides the events of a file, beside the file and these settings."""

    def entry(self, part: Part, first_row: int, advance: Advance) -> Entry:
        """The events of one file, whose first row has that number; made unless they are kept."""
        key = self.key_of(part, str(first_row))
        found = kept_files.find(self.keep, key)
        if found is None:
            with kept_files.making(self.keep, key) as fresh:
                info = self.read(part, first_row, fresh, advance)
                (fresh / FILES_RECORD).write_text(json.dumps(asdict(info)), encoding="utf-8")
            found = self.keep / key
        record = json.loads((found / FILES_RECORD).read_text(encoding="utf-8"))
        return found, FileInfo(**record)

    def key_of(self, part: Part, *more: str) -> str:
        """Name of what is kept of a file."""
        shape = self.contract.model_dump_json(include={"format", "columns", "joined"})
        settings = (shape, str(self.lenient), str(self.group_bytes))
        version = _version(part) if self.lasts else ""
        return kept_files.key_of(*self.depends_on, *settings, part.name, version, *more)

    def read(self, part: Part, first_row: int, folder: Path, advance: Advance) -> FileInfo:
        """Read one file (or table) into folder/events.parquet and folder/quarantine.parquet."""
        if isinstance(part, Table):
            return self._table(part, folder, advance)
        if is_parquet(part, self.contract):
            return self._parquet(part, first_row, folder, advance)
        return self._lines(part, first_row, folder, advance)

    def _lines(self, file: StoredFile, first_row: int, folder: Path, advance: Advance) -> FileInfo:
        reading, counted = Reading(file), Counted()
        header_lines = int(self.contract.format.has_header)
        own = self.contract.of_file(None)
        try:
            with Quarantine(folder / MALFORMED_FILE, file.name, first_row) as quarantine:
                aside = quarantine.add if self.lenient else None
                blocks = cut_lines(plain_bytes(file, reading, BLOCK_BYTES), file.name, counted)
                tables = typed_tables(blocks, file.name, own, aside)
                rows = self._write(
                    _reported(tables, file.name, reading, advance),
                    file.name, first_row, header_lines, aside, folder,
                )  # fmt: skip
            sha256 = reading.sha256()
        except DataError:
            check_compression(file)  # damaged data are the cause of whatever rows they hold
            raise
        finally:
            reading.finish()
        assert counted.lines - header_lines == rows + quarantine.rows, f"{file.name}: a row is lost"
        if counted.lines == header_lines:
            raise DataError(
                f"{file.name}: there is a header but no row; give a file that has rows."
            )
        return FileInfo(file.name, sha256, first_row, rows, quarantine.rows, quarantine.first)

    def _parquet(
        self, file: StoredFile, first_row: int, folder: Path, advance: Advance
    ) -> FileInfo:
        path, sha256 = on_disk(file, folder)
        counted, batches = parquet_batches(path, file.name, self.contract.of_file(None))
        with Quarantine(folder / MALFORMED_FILE, file.name, first_row) as quarantine:
            aside = quarantine.add if self.lenient else None
            tables = typed_batches(batches, file.name, self.contract.of_file(None), aside)
            tables = _reported(tables, file.name, None, advance)
            rows = self._write(tables, file.name, first_row, None, aside, folder)
        advance(file.name, file.size, 0)
        if path.parent == folder:
            path.unlink()
        assert counted == rows + quarantine.rows, f"{file.name}: a row is lost"
        return FileInfo(file.name, sha256, first_row, rows, quarantine.rows, quarantine.first)

    def _table(self, table: Table, folder: Path, advance: Advance) -> FileInfo:
        own = self.contract.of_file(None)
        names = [column.name for column in own.columns]
        with (
            Quarantine(folder / MALFORMED_FILE, table.name, 1) as quarantine,
            reading_table(table, names) as (counted, batches),
        ):
            aside = quarantine.add if self.lenient else None
            tables = typed_batches(batches, table.name, own, aside)
            rows = self._write(
                _reported(tables, table.name, None, advance), table.name, 1, None, aside, folder
            )
        assert counted == rows + quarantine.rows, f"{table.name}: a row is lost"
        return FileInfo(table.name, "", 1, rows, quarantine.rows, quarantine.first)

    def _write(
        self,
        tables: Iterator[pa.Table],
        name: str,
        first_row: int,
        header_lines: int | None,
        aside: Aside,
        folder: Path,
    ) -> int:
        tables = complete(tables, name, self.contract, self.attributes, header_lines, aside)
        moved = (
            table.set_column(0, ROW_COLUMN, pc.add(table[ROW_COLUMN], first_row - 1))
            for table in tables
            if table.num_rows
        )
        schema = event_schema(self.contract)
        with replacing(folder / "events.parquet") as temporary:
            rows = write_file(moved, schema, temporary, self.group_bytes)
        assert pq.read_metadata(folder / "events.parquet").num_rows == rows
        return rows


ReadFiles = Callable[[FileReader, Sequence[Part]], list[Entry]]


def read_one_by_one(reader: FileReader, parts: Sequence[Part]) -> list[Entry]:
    """The entries of all files, each behind the rows of those before it."""
    entries, first_row = [], 1
    with ingest_progress(sum(_size(part) for part in parts)) as advance:
        for part in parts:
            entries.append(reader.entry(part, first_row, advance))
            info = entries[-1][1]
            first_row += info.rows + info.malformed
    return entries


def is_parquet(file: StoredFile, contract: Contract) -> bool:
    """Whether a file is read as Parquet, whatever its bytes are."""
    return suffix(file) in (".parquet", ".pq") or contract.format.kind == "parquet"


def _reported(
    tables: Iterator[pa.Table], name: str, reading: Reading | None, advance: Advance
) -> Iterator[pa.Table]:
    seen = 0
    for table in tables:
        read = 0 if reading is None else reading.bytes_read - seen
        seen += read
        advance(name, read, table.num_rows)
        yield table


def _check_share(infos: list[FileInfo], percent: float | None, title: str) -> None:
    malformed = sum(info.malformed for info in infos)
    rows = sum(info.rows for info in infos) + malformed
    if percent is None or 100 * malformed <= percent * rows:
        return
    first = next(info.first_malformed for info in infos if info.malformed)
    raise DataError(
        f"{title}: {malformed:,} of {rows:,} rows ({100 * malformed / rows:.4g} %) are malformed, "
        f"and `data.quarantine_percent` allows {percent:g} %; the first is {first}; correct the "
        "data or allow more."
    )


def _assemble(entries: list[Entry], source: Source, folder: Path) -> None:
    """Files, quarantine and record of the whole source, in place of former ones."""
    fresh = folder / ".files"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for number, (entry, _) in enumerate(entries):
        kept_files.link(entry / "events.parquet", fresh / file_name(number))
    (folder / MALFORMED_FILE).unlink(missing_ok=True)
    names = _shown([info.file for _, info in entries])
    broken = {
        name: entry / MALFORMED_FILE
        for name, (entry, info) in zip(names, entries, strict=True)
        if info.malformed
    }
    if broken:
        with replacing(folder / MALFORMED_FILE) as temporary:
            join_quarantines(broken, temporary)
    days = [day and day.isoformat() for day in source.days] or [None] * len(entries)
    record = [
        {"file": name, "day": day, "sha256": info.sha256, "first_row": info.first_row,
         "rows": info.rows, "malformed": info.malformed}
        for name, day, (_, info) in zip(names, days, entries, strict=True)
    ]  # fmt: skip
    with replacing(folder / FILES_RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder / "files", ignore_errors=True)
    fresh.rename(folder / "files")


def _shown(names: list[str]) -> list[str]:
    """Paths from the folder that all files have in common: where that lies is not what they are."""
    if "://" in names[0]:
        return names
    common = os.path.commonpath([str(Path(name).parent) for name in names])
    return [Path(name).relative_to(common).as_posix() for name in names]


def _joint_sha256(infos: list[FileInfo]) -> str:
    if len(infos) == 1:
        return infos[0].sha256
    names = _shown([info.file for info in infos])
    pairs = zip(names, infos, strict=True)
    return kept_files.key_of(*(f"{name} {info.sha256}" for name, info in pairs))


def _size(part: Part) -> int:
    if isinstance(part, Table):
        return 0
    try:
        return part.size
    except FileNotFoundError:
        return 0  # opening it says so in a sentence


def _sha256(file: StoredFile) -> str:
    with_digest = Reading(file)
    try:
        return with_digest.sha256()
    finally:
        with_digest.finish()


def _version(file: StoredFile) -> str:
    """What tells this content from another, before the file is read."""
    return content_digests([file])[0] if isinstance(file, LocalFile) else file.version()


def on_disk(file: StoredFile, folder: Path) -> tuple[Path, str]:
    """Parquet files are read at random places, so an object is copied into `folder` first."""
    if isinstance(file, LocalFile):
        if not file.path.is_file():
            file.open()
        return file.path, content_digests([file])[0]
    reading, path = Reading(file), folder / "copied.parquet"
    try:
        with path.open("wb") as copy:
            while data := reading.read(BLOCK_BYTES):
                copy.write(data)
        return path, reading.sha256()
    finally:
        reading.finish()
