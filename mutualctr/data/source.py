"""The raw file: where it lies, which one it is, and its lines in whole blocks of sound bytes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from mutualctr.errors import DataError
from mutualctr.files import file_digest

REPOSITORY = Path(__file__).resolve().parents[2]
COMPRESSION = {".gz": "gzip", ".zst": "zstd"}
BLOCK_BYTES = 1 << 20
"""Bytes read at once; no line may be longer."""


def resolve_source(source: str, root: Path = REPOSITORY) -> Path:
    """Find a source file: an absolute path as it is; a relative one in the data folder.

    The data folder is $MUTUALCTR_DATA where it is set, else `../shared/data` beside `root`.
    Raises DataError if no file is there.
    """
    path = Path(source)
    if path.is_absolute():
        mend = "check the path"
    elif "MUTUALCTR_DATA" in os.environ:
        path = Path(os.environ["MUTUALCTR_DATA"]) / source
        mend = "put it there or point MUTUALCTR_DATA at the folder that has it"
    else:
        path = (root / ".." / "shared" / "data" / source).resolve()
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


def read_blocks(path: Path, separator: str, columns: list[str]) -> Iterator[Block]:
    """The file's lines in order, decompressed by suffix (.gz, .zst), in bounded memory.

    Raises DataError: no such file, an empty one, a truncated or damaged compression (checksums
    are verified), NUL bytes, bytes that are not UTF-8, an empty line, a stray carriage return, a
    line longer than a block. `separator` and `columns` only say in which column a byte is.
    """
    line, rest = 1, b""
    for data in _read_bytes(path):
        data = rest + data
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if len(rest) >= BLOCK_BYTES:
            number = line + data.count(b"\n")
            raise DataError(
                f"{path}: line {number} is longer than {BLOCK_BYTES:,} bytes; "
                "give a text file with one row a line."
            )
        if end:
            block = Block(line, data[:end])
            _check(block, path, separator, columns)
            line += block.lines
            yield block
    if rest:
        block = Block(line, rest)
        _check(block, path, separator, columns)
        yield block
    elif line == 1:
        raise DataError(f"{path}: the file is empty; give one that has rows.")


def check_compression(path: Path) -> None:
    """Read a compressed file to its end; DataError if the data are truncated or damaged."""
    if path.suffix in COMPRESSION:
        for _ in _read_bytes(path):
            pass


def _read_bytes(path: Path) -> Iterator[bytes]:
    """Decompressed bytes. Arrow's streams end in an error where gzip or zstd data stop early."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; check the path.")
    compression = COMPRESSION.get(path.suffix)
    with pa.input_stream(path, compression=compression) as stream:
        while True:
            try:
                data = stream.read(BLOCK_BYTES)
            except OSError as error:
                if compression is None:
                    raise
                raise DataError(
                    f"{path}: the {compression} data are truncated or damaged "
                    f"({str(error).lower()}); copy or download the file again."
                ) from None
            if not data:
                return
            yield data


def _check(block: Block, path: Path, separator: str, columns: list[str]) -> None:
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


def _check_line_ends(block: Block, path: Path) -> None:
    if b"\r" in block.data:
        block = Block(block.first_line, block.data.replace(b"\r\n", b"\n"))
        stray = block.data.find(b"\r")
        if stray >= 0:
            raise DataError(
                f"{path}: line {block.line_at(stray)} has a carriage return without a line feed; "
                "end lines with LF or CR LF only."
            )
    ends = np.frombuffer(block.data, np.uint8) == ord("\n")
    if ends[0] or (ends[1:] & ends[:-1]).any():
        empty = 0 if ends[0] else block.data.find(b"\n\n") + 1
        raise DataError(f"{path}: line {block.line_at(empty)} is empty; remove it.")
