"""A cell: one training whose outcome depends on its key alone, so a finished one is never repeated.

    <store>/<digest of the key>/cell.json     the key, the dev curve, seconds
                                dev.npy       probability float64 [E, N, rows of dev]
                                test.npy      the same on test
                                train.npy     logit float32 [N, rows of train], pretrained cells
                                0/, 1/, …     checkpoints, pretrained cells

A cell is written beside its place and moved there when it is whole; whoever finds it uses it.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CELL = "cell.json"


@dataclass(frozen=True)
class Cell:
    """A finished cell."""

    folder: Path

    def probability_ENR(self, part: str) -> np.ndarray:
        """Each peer's probabilities on dev or test after each judged epoch."""
        return np.load(self.folder / f"{part}.npy", mmap_mode="r", allow_pickle=False)

    def train_logit_NR(self) -> np.ndarray:
        """Each peer's logits on train, of a pretrained cell."""
        return np.load(self.folder / "train.npy", mmap_mode="r", allow_pickle=False)

    @property
    def record(self) -> dict[str, Any]:
        """Key, curve and seconds."""
        return json.loads((self.folder / CELL).read_text(encoding="utf-8"))


def digest(key: dict[str, Any]) -> str:
    """SHA-256 of a key of plain values, whatever the order of its entries."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def find(store: Path, key: dict[str, Any]) -> Cell | None:
    """The finished cell of that key, if there is one."""
    folder = store / digest(key)
    return Cell(folder) if (folder / CELL).is_file() else None


def make(store: Path, key: dict[str, Any], fill: Callable[[Path], dict[str, Any]]) -> Cell:
    """The cell of that key; where it is not there, `fill` writes its files and returns its record.

    Of two that fill the same cell at the same time the first stays.
    """
    found = find(store, key)
    if found is not None:
        return found
    unfinished = store / f".{uuid.uuid4().hex}.part"
    unfinished.mkdir(parents=True)
    try:
        record = {"key": key, **fill(unfinished)}
        (unfinished / CELL).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        try:
            unfinished.rename(store / digest(key))
        except OSError:
            assert find(store, key) is not None, "a cell's place is taken by something else"
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Cell(store / digest(key))


def write_scores(folder: Path, part: str, probability_ENR: np.ndarray) -> None:
    """Keep the probabilities of one part."""
    assert probability_ENR.dtype == np.float64
    assert probability_ENR.ndim == 3
    np.save(folder / f"{part}.npy", probability_ENR, allow_pickle=False)
