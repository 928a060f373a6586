"""The raw file: where it lies, which one it is, and its lines in whole blocks of sound bytes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mutualctr.data.stored import (
    CHUNK_BYTES,
    COMPRESSION,
    LocalFile,
    Reading,
    StoredFile,
    plain_bytes,
    suffix,
)
from mutualctr.errors import DataError
from mutualctr.files import file_digest

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCK_BYTES = CHUNK_BYTES
"""No line may be longer; and a chunk is no longer than that."""
SHOWN_BYTES = 1000
"""Bytes of a malformed line that are kept to be shown."""


def data_folder(root: Path = REPOSITORY) -> Path:
    """Where relative sources lie: $MUTUALCTR_DATA, else `../shared/data` beside `root`."""
    if "MUTUALCTR_DATA" in os.environ:
        return Path(os.environ["MUTUALCTR_DATA"])
    return (root / ".." / "shared" / "data").resolve()


def data_path(source: str, root: Path = REPOSITORY) -> Path:
    """An absolute path as it is; a relative one in the data folder. Nothing need be there."""
    return data_folder(root) / source


def resolve_source(source: str, root: Path = REPOSITORY) -> Path:
    """Find one file at its `data_path`. Raises DataError if no file is there."""
    path = data_path(source, root)
    if Path(source).is_absolute():
        mend = "check the path"
    elif "MUTUALCTR_DATA" in os.environ:
        mend = "put it there or point MUTUALCTR_DATA at the folder that has it"
    else:
        mend = "put it there, set MUTUALCTR_DATA to the folder that has it or give a full path"
    if not path.is_file():
        raise DataError(f"There is no file {source}: looked for {path}; {mend}.")
    return path


def fingerprint(path: Path) -> str:
    """SHA-256 of the file's bytes as they lie on the disk, in hex."""
    return file_digest(path)


@dataclass(frozen=True)
class Block:
    """Some whole lines of the file, decompressed."""

    first_line: int
    """Number of the first of them in the file, from 1."""
    data: bytes

    @cached_property
    def lines(self) -> int:
        """How many lines; the very last of a file may lack its line end."""
        ends = np.count_nonzero(np.frombuffer(self.data, np.uint8) == ord("\n"))
        return int(ends) + (not self.data.endswith(b"\n"))

    def line_at(self, position: int) -> int:
        """Number in the file of the line that holds the byte at `position`."""
        return self.first_line + self.data.count(b"\n", 0, position)


@dataclass(frozen=True)
class LongLine:
    """A line that is longer than a block; only its beginning is kept."""

    first_line: int
    beginning: bytes


@dataclass
class Counted:
    """Lines that went by, counted apart from the cutting: no row may be lost in between."""

    line_ends: int = 0
    open_end: bool = False
    """Whether the last line has no line end (yet)."""

    @property
    def lines(self) -> int:
        return self.line_ends + self.open_end

    def see(self, data: bytes) -> None:
        self.line_ends += int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))
        self.open_end = not data.endswith(b"\n")


def read_blocks(path: Path, separator: str, columns: list[str]) -> Iterator[Block]:
    """The file's lines in order, decompressed by suffix (.gz, .zst), in bounded memory.

    Raises DataError: no such file, an empty one, a truncated or damaged compression (checksums
    are verified), NUL bytes, bytes that are not UTF-8, an empty line, a stray carriage return, a
    line longer than a block. `separator` and `columns` only say in which column a byte is.
    """
    name = str(path)
    yield from checked(cut_lines(open_bytes(LocalFile(path)), name), name, separator, columns)


def open_bytes(file: StoredFile) -> Iterator[bytes]:
    """Decompressed bytes of a file from its beginning."""
    reading = Reading(file)
    try:
        yield from plain_bytes(file, reading, BLOCK_BYTES)
    finally:
        reading.finish()


def cut_lines(
    chunks: Iterable[bytes], name: str, counted: Counted | None = None
) -> Iterator[Block | LongLine]:
    """Chunks of bytes → blocks of whole lines; a line longer than BLOCK_BYTES stands alone.

    Raises DataError where there is no byte at all.
    """
    line, rest, skipping = 1, b"", False
    for chunk in chunks:
        if counted is not None:
            counted.see(chunk)
        if skipping:
            end = chunk.find(b"\n") + 1
            if not end:
                continue
            chunk, skipping, line = chunk[end:], False, line + 1
        data = rest + chunk
        rest = b""
        first = data.find(b"\n")
        if first > BLOCK_BYTES or (first < 0 and len(data) > BLOCK_BYTES):
            # A chunk is no longer than a block, so only the line that began before it can be long.
            yield LongLine(line, data[:SHOWN_BYTES])
            if first < 0:
                skipping = True
                continue
            data, line = data[first + 1 :], line + 1
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if end:
            block = Block(line, data[:end])
            line += block.lines
            yield block
    if rest:
        yield Block(line, rest)
    elif line == 1 and not skipping:
        raise DataError(f"{name}: the file is empty; give one that has rows.")


def checked(
    blocks: Iterable[Block | LongLine], name: str, separator: str, columns: list[str]
) -> Iterator[Block]:
    """The blocks, each known to be sound; DataError names the first defect."""
    for block in blocks:
        check(block, name, separator, columns)
        yield block


def check_compression(file: StoredFile) -> None:
    """Read a compressed file to its end; DataError if the data are truncated or damaged."""
    if suffix(file) in COMPRESSION:
        for _ in open_bytes(file):
            pass


def check(block: Block | LongLine, path: Path | str, separator: str, columns: list[str]) -> None:
    """Raise DataError about the first defect that lies in the bytes, wherever they are cut."""
    if isinstance(block, LongLine):
        raise DataError(
            f"{path}: line {block.first_line} is longer than {BLOCK_BYTES:,} bytes; "
            "give a text file with one row a line."
        )
    data = block.data
    position, problem = data.find(b"\0"), "holds a NUL byte"
    if position < 0 and not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            position, problem = error.start, f"holds bytes that are not {error.encoding.upper()}"
    if position >= 0:
        field = data.count(separator.encode(), data.rfind(b"\n", 0, position) + 1, position)
        column = columns[field] if field < len(columns) else f"number {field + 1}"
        raise DataError(
            f"{path}: line {block.line_at(position)}, column {column} {problem}; "
            "save the file as plain UTF-8 text."
        )
    _check_line_ends(block, path)


def _check_line_ends(block: Block, path: Path | str) -> None:
    if b"\r" in block.data:
        block = Block(block.first_line, block.data.replace(b"\r\n", b"\n"))
        stray = block.data.find(b"\r")
        if stray >= 0:
            raise DataError(
                f"{path}: line {block.line_at(stray)} has a carriage return without a line feed; "
                "end lines with LF or CR LF only."
            )
    ends = np.frombuffer(block.data, np.uint8) == ord("\n")
    if ends[0] or np.count_nonzero(ends[1:] & ends[:-1]):  # any() takes eight times as long
        empty = 0 if ends[0] else block.data.find(b"\n\n") + 1
        raise DataError(f"{path}: line {block.line_at(empty)} is empty; remove it.")
