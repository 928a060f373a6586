"""Rows that cannot be read: told apart without looking at each, and kept in quarantine.parquet.

row    the number the row would have had in the events
file   the source file, or the table
line   its line there; null for rows of Parquet files and tables
rule   what is wrong
text   the beginning of the row, with every byte that is no plain ASCII character escaped
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.source import SHOWN_BYTES, Block, LongLine

MALFORMED_FILE = "quarantine.parquet"
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("rule", pa.string()),
        ("text", pa.string()),
    ]
)
WAITING_ROWS = 5000


@dataclass(frozen=True)
class Malformed:
    """One row that is set aside."""

    row: int
    line: int | None
    rule: str
    text: bytes

    def shown(self) -> str:
        """The beginning of the row as ASCII."""
        return self.text[:SHOWN_BYTES].decode("ascii", errors="backslashreplace").translate(_ESCAPE)


_ESCAPE = {code: f"\\x{code:02x}" for code in [*range(32), 127]} | {9: "\\t", 13: "\\r", 10: "\\n"}


class Quarantine:
    """Collects the malformed rows of one source file in `path`, which is made by the first."""

    def __init__(self, path: Path, name: str, first_row: int):
        """Rows are numbered within the file from 1; `first_row` is what 1 stands for."""
        self._path, self._name, self._offset = path, name, first_row - 1
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[Malformed] = []
        self.rows = 0
        self.first = ""
        """The first of them in words."""

    def __enter__(self) -> "Quarantine":
        return self

    def add(self, malformed: Malformed) -> None:
        if not self.rows:
            where = f"line {malformed.line}" if malformed.line else f"row {malformed.row}"
            self.first = f"{self._name}: {where}: {malformed.rule}"
        self.rows += 1
        self._waiting.append(malformed)
        if len(self._waiting) >= WAITING_ROWS:
            self._write()

    def _write(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, SCHEMA, compression="zstd")
        columns = {
            "row": [entry.row + self._offset for entry in self._waiting],
            "file": [self._name] * len(self._waiting),
            "line": [entry.line for entry in self._waiting],
            "rule": [entry.rule for entry in self._waiting],
            "text": [entry.shown() for entry in self._waiting],
        }
        self._writer.write_table(pa.table(columns, schema=SCHEMA))
        self._waiting = []

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._waiting and error is None:
            self._write()
        if self._writer is not None:
            self._writer.close()


def join_quarantines(parts: dict[str, Path], target: Path) -> None:
    """The rows of several files in one, each under the name that is given for its file."""
    with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
        for name, part in parts.items():
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches():
                    named = pa.repeat(pa.scalar(name), batch.num_rows)
                    at = SCHEMA.get_field_index("file")
                    writer.write_batch(batch.set_column(at, "file", named))


class Lines:
    """The lines of a block, and what is wrong with each."""

    def __init__(self, block: Block):
        self.block = block
        self._byte_N = np.frombuffer(block.data, np.uint8)
        self._end_L = np.flatnonzero(self._byte_N == ord("\n"))
        if not block.data.endswith(b"\n"):
            self._end_L = np.append(self._end_L, len(block.data))
        self._start_L = np.append(0, self._end_L[:-1] + 1)
        self.rule_L = np.full(len(self._end_L), "", dtype=object)
        """Empty for a sound line."""

    def find_defects(self, separator: str, width: int) -> None:
        """Mark lines that are unsound as bytes or have another number of values."""
        byte_N = self._byte_N
        self.mark(self._lines_of(byte_N == 0), "a NUL byte")
        returns_N = byte_N == ord("\r")
        followed_N = np.append(byte_N[1:] == ord("\n"), False)
        self.mark(self._lines_of(returns_N & ~followed_N), "a carriage return without a line feed")
        length_L = self._end_L - self._start_L
        bare_L = np.where(
            length_L > 0, returns_N[np.maximum(self._end_L - 1, 0)] & (length_L == 1), False
        )
        self.mark(np.flatnonzero((length_L == 0) | bare_L), "an empty line")
        if not is_utf8(self.block.data):
            for line in np.unique(self._lines_of(byte_N >= 0x80)).tolist():
                if not is_utf8(self.text(line)):
                    self.mark(np.array([line]), "bytes that are not UTF-8")
        at_S = np.flatnonzero(byte_N == ord(separator))
        found_L = 1 + np.bincount(np.searchsorted(self._end_L, at_S), minlength=len(self._end_L))
        for line in np.flatnonzero((found_L != width) & (self.rule_L == "")).tolist():
            found = int(found_L[line])
            self.rule_L[line] = f"{found} column{'s' * (found > 1)} instead of {width}"

    def mark(self, lines: np.ndarray, rule: str) -> None:
        """Give the rule to those of the lines that have none yet."""
        lines = lines[self.rule_L[lines] == ""]
        self.rule_L[lines] = rule

    def sound(self) -> np.ndarray:
        """Positions of the lines without a defect."""
        return np.flatnonzero(self.rule_L == "")

    def sound_bytes(self) -> bytes:
        """Those lines."""
        stop_L = np.minimum(self._end_L + 1, len(self._byte_N))
        kept_N = np.repeat(self.rule_L == "", stop_L - self._start_L)
        return self._byte_N[kept_N].tobytes()

    def text(self, line: int) -> bytes:
        return self.block.data[self._start_L[line] : self._end_L[line]]

    def malformed(self, header_lines: int) -> list[Malformed]:
        """The lines with a defect."""
        return [
            Malformed(
                row=self.block.first_line + line - header_lines,
                line=self.block.first_line + line,
                rule=self.rule_L[line],
                text=self.text(line),
            )
            for line in np.flatnonzero(self.rule_L != "").tolist()
        ]

    def _lines_of(self, chosen_N: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._end_L, np.flatnonzero(chosen_N))


def too_long(line: LongLine, header_lines: int, limit: int) -> Malformed:
    """The line that no block holds."""
    rule = f"a line of more than {limit:,} bytes"
    return Malformed(line.first_line - header_lines, line.first_line, rule, line.beginning)


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
