"""Folders for steps to write into, on the artifact store's disk where that is local."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from pydantic import BaseModel
from zenml.client import Client

from mutualctr.training.snapshots import Snapshots, let_go_of_forgotten


@contextmanager
def scratch() -> Iterator[Path]:
    """A fresh folder. It outlives success (the materializer takes it) and goes on failure."""
    folder = scratch_parent() / f"mutualctr-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def snapshots(*decides: Any, every_steps: int) -> Snapshots:
    """The snapshots of one training in `snapshot_folder`."""
    return Snapshots(snapshot_folder(*decides), every_steps)


def snapshot_folder(*decides: Any) -> Path:
    """Where a training's snapshots are, found again by everything that decides its outcome.

    They lie on this machine: beside a local artifact store, else in the user's cache. Those of
    trainings that were killed long ago and not repeated are removed first.
    """
    store = _beside_artifacts(".unfinished")
    let_go_of_forgotten(store)
    text = "\0".join(
        part.model_dump_json() if isinstance(part, BaseModel) else str(part) for part in decides
    )
    name = hashlib.sha256(text.encode()).hexdigest()
    return store / name


def kept_files() -> Path:
    """Where finished source files are kept from run to run (`mutualctr/data/kept_files.py`)."""
    return _beside_artifacts(".ingested")


def cell_store() -> Path:
    """Where finished cells of studies are kept: they outlive a killed run and serve the next."""
    return _beside_artifacts("study_cells")


def _beside_artifacts(name: str) -> Path:
    """A folder on this machine that outlives a run: in a local artifact store, else in the user's
    cache."""
    store = Client().active_stack.artifact_store
    if store.config.is_local:
        return Path(store.path) / name
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mutualctr" / name


def scratch_parent() -> Path:
    """Where the fresh folders are."""
    store = Client().active_stack.artifact_store
    return Path(store.path) / ".scratch" if store.config.is_local else Path(gettempdir())
