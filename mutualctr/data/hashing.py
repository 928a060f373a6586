"""A 64-bit hash of row ids that never changes, so that a row keeps its part for ever.

    integers  mix(x)                       x as 64 bits
    texts     mix(FNV-1a of the UTF-8 bytes)

mix is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014): FNV alone leaves the high bits of short texts poorly mixed. Constants
of FNV-1a: Fowler, Noll, Vo, http://www.isthe.com/chongo/tech/comp/fnv/.
"""

import numpy as np
import pyarrow as pa

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)


def hash_integers(number_N: np.ndarray) -> np.ndarray:
    """hash_N uint64."""
    return mix(number_N.astype(np.int64).view(np.uint64))


def hash_texts(texts: pa.Array) -> np.ndarray:
    """hash_N uint64 of texts without nulls; one byte of every text at a time."""
    texts = texts.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    end_N = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    at_N, end_N = end_N[:-1].copy(), end_N[1:]
    byte = np.frombuffer(data or b"", np.uint8)
    hash_N = np.full(len(texts), FNV_OFFSET)
    left = np.flatnonzero(at_N < end_N)
    while len(left):
        hash_N[left] = (hash_N[left] ^ byte[at_N[left]]) * FNV_PRIME
        at_N[left] += 1
        left = left[at_N[left] < end_N[left]]
    return mix(hash_N)


def mix(word_N: np.ndarray) -> np.ndarray:
    """Every bit of the input moves every bit of the output; wraps around at 2⁶⁴."""
    word_N = word_N + np.uint64(0x9E3779B97F4A7C15)
    word_N = (word_N ^ (word_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word_N = (word_N ^ (word_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word_N ^ (word_N >> np.uint64(31))
