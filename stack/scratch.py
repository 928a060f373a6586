"""A folder for a step to write into, on the artifact store's disk where that is local."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

from zenml.client import Client


@contextmanager
def scratch() -> Iterator[Path]:
    """A fresh folder. It outlives success (the materializer takes it) and goes on failure."""
    store = Client().active_stack.artifact_store
    parent = Path(store.path) / ".scratch" if store.config.is_local else Path(gettempdir())
    folder = parent / f"mutualctr-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def cell_store() -> Path:
    """Where finished cells of studies are kept: they outlive a killed run and serve the next.

    With a remote artifact store they lie on this machine, in the user's cache.
    """
    store = Client().active_stack.artifact_store
    if store.config.is_local:
        return Path(store.path) / "study_cells"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mutualctr-cells"
