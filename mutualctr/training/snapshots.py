"""A training that is killed goes on from its last snapshot and ends with the same bits.

A snapshot is one safetensors file named by its step and the SHA-256 of its bytes. It is written
beside its place, flushed, and moved there; a torn or altered file does not have the digest in its
name and is passed over. The two newest are kept: the older one stays until the newer is whole.

A training that ends removes its snapshots. One that was killed and never comes again, because its
rows, its settings or the code have changed since, would leave them for ever: whoever starts a
training lets go of those that are old.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

logger = logging.getLogger(__name__)

KEPT = 2
FORGOTTEN_DAYS = 14
"""A killed training that nobody went on with for so long begins anew."""
_NAME = re.compile(r"(\d{12})-([0-9a-f]{32})\.safetensors")


@dataclass(frozen=True)
class Snapshot:
    """Where a training was: plain values, and every tensor that changes while it runs."""

    cursor: dict[str, Any]
    tensors: dict[str, torch.Tensor]


class Snapshots:
    """The snapshots of one training in a folder of their own; `every` counts steps."""

    def __init__(self, folder: Path, every: int) -> None:
        assert every >= 1
        self._folder = folder
        self._every = every
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # from now on it counts as used

    def due(self, step: int) -> bool:
        """Whether a snapshot belongs after this step, counted from 1 over all epochs."""
        return step % self._every == 0

    def save(self, step: int, snapshot: Snapshot) -> None:
        """Write a snapshot after `step` steps and let go of all but the two newest."""
        tensors = {
            name: value.detach().cpu().contiguous() for name, value in snapshot.tensors.items()
        }
        metadata = {"cursor": json.dumps(snapshot.cursor, allow_nan=False)}
        content = safetensors.torch.save(tensors, metadata)
        digest = hashlib.sha256(content).hexdigest()[:32]
        path = self._folder / f"{step:012d}-{digest}.safetensors"
        unfinished = path.with_name(f".{path.name}.part")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _flush_folder(self._folder)
        for old in self._newest_first()[KEPT:]:
            old.unlink()

    def whole(self) -> list[int]:
        """The steps of which there is a whole snapshot."""
        return [int(_NAME.fullmatch(path.name)[1]) for path in self._newest_first() if _whole(path)]

    def load(self, step: int) -> Snapshot:
        """The snapshot of a step that `whole` named."""
        (path,) = (p for p in self._newest_first() if int(_NAME.fullmatch(p.name)[1]) == step)
        content = path.read_bytes()
        return Snapshot(_cursor(content), safetensors.torch.load(content))

    def clear(self) -> None:
        """Remove every snapshot: the training is finished and its result is kept elsewhere."""
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    def _newest_first(self) -> list[Path]:
        found = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, reverse=True)


def let_go_of_forgotten(store: Path) -> None:
    """Remove the trainings in `store` that nobody opened or went on with for FORGOTTEN_DAYS days.

    One line of the log says how many and how large they were. Two processes may do it at once.
    """
    oldest = time.time() - FORGOTTEN_DAYS * 86_400
    gone, size = 0, 0
    for folder in store.iterdir() if store.is_dir() else ():
        try:
            if folder.stat().st_mtime >= oldest:
                continue
            size += sum(path.stat().st_size for path in folder.iterdir())
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue  # another process was quicker
        gone += 1
    if gone:
        logger.info(
            "Snapshots of %s that nobody went on with for %s days are removed (%.1f MB): %s",
            "1 killed training" if gone == 1 else f"{gone} killed trainings",
            FORGOTTEN_DAYS,
            size / 1e6,
            store,
        )


def _whole(path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32] == _NAME.fullmatch(path.name)[2]


def _cursor(content: bytes) -> dict[str, Any]:
    """The metadata in a safetensors header: eight bytes of its length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    header: Mapping[str, Any] = json.loads(content[8 : 8 + length])
    return json.loads(header["__metadata__"]["cursor"])


def _flush_folder(folder: Path) -> None:
    """A rename is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
