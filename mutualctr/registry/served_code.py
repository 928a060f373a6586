"""The part of the library that a registered version carries, as one zip file.

A file each would be a request each wherever MLflow's artifacts go over HTTP, one after the other:
182 requests a version instead of 22 (docs/SCALING.md). Python imports from a zip as from a folder.
"""

import hashlib
import zipfile
from modulefinder import ModuleFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVING = Path(__file__).with_name("serving.py")
ARCHIVE = "served.zip"
"""Its name below the version's `code/`; serving.py looks for it there."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def served_files() -> list[Path]:
    """Every module of ours that SERVING may import, within functions too, and SERVING itself."""
    finder = ModuleFinder(path=[str(ROOT)])
    finder.run_script(str(SERVING))
    return sorted(Path(module.__file__) for module in finder.modules.values() if module.__file__)


def served_digest() -> str:
    """SHA-256 over names and contents of the served files."""
    digest = hashlib.sha256()
    for path in served_files():
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def write_archive(folder: Path) -> Path:
    """The served files under their import paths; equal files give an equal archive."""
    path = folder / ARCHIVE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in served_files():
            entry = zipfile.ZipInfo(file.relative_to(ROOT).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return path
