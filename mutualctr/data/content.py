"""Whether two files hold the same rows in the same order, whatever else is in them.

The clicks of a day come in a file of their own, which has a label more than the file that was
scored. So what is compared is the content of some columns, not bytes:

    SHA-256 over, for each column,  name · SHA-256(values) · SHA-256(lengths, or present)

    integers   values: 8 bytes a row, 0 where missing      present: a byte a row
    texts      values: their UTF-8 bytes, one after the other    lengths: 4 bytes a row, −1 missing

How the rows are cut into tables does not matter.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = np.int32(-1)
"""Length of a text that is missing."""
EMPTY = pa.array([""])


class ContentDigest:
    """The digest of columns whose rows come table by table."""

    def __init__(self, columns: Sequence[str]):
        self._columns = {name: (hashlib.sha256(), hashlib.sha256()) for name in columns}

    def add(self, table: pa.Table) -> None:
        """The next rows; each column is text, as it is or as codes into a dictionary, or int64."""
        for name, (values, shape) in self._columns.items():
            for chunk in table[name].chunks:
                if pa.types.is_integer(chunk.type):
                    assert chunk.type == pa.int64(), chunk.type
                    values.update(chunk.fill_null(0).to_numpy(zero_copy_only=False))
                    shape.update(chunk.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False))
                elif pa.types.is_dictionary(chunk.type):
                    text_U = chunk.dictionary
                    code_B = chunk.indices.fill_null(len(text_U))
                    values.update(_bytes_of(pa.concat_arrays([text_U, EMPTY]).take(code_B)))
                    shape.update(np.append(_lengths_of(text_U), MISSING)[code_B.to_numpy()])
                else:
                    values.update(_bytes_of(chunk.fill_null("")))
                    shape.update(_lengths_of(chunk))

    def hexdigest(self) -> str:
        """Of all rows so far."""
        whole = hashlib.sha256()
        for name, parts in self._columns.items():
            whole.update(f"{name}\0{' '.join(part.hexdigest() for part in parts)}\n".encode())
        return whole.hexdigest()


def _lengths_of(texts: pa.StringArray) -> np.ndarray:
    lengths = pc.binary_length(texts).fill_null(int(MISSING)).cast(pa.int32())
    return lengths.to_numpy(zero_copy_only=False)


def _bytes_of(texts: pa.StringArray) -> np.ndarray:
    """The bytes of all texts, one after the other; null-free."""
    _, ends, data = texts.buffers()
    if data is None:
        return np.empty(0, np.uint8)
    end_N = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data, np.uint8)[end_N[0] : end_N[-1]]
