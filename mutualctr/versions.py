"""Which code, libraries and hardware: what one needs to run the same again."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

from mutualctr import __version__
from mutualctr.files import file_digest

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = (
    "torch",
    "zenml",
    "mlflow",
    "great-expectations",
    "duckdb",
    "pandas",
    "numpy",
    "scikit-learn",
)


def versions() -> dict[str, str | None]:
    """mutualctr, python, libraries, git commit (null outside a checkout), SHA-256 of the lock, and
    the hardware this process may use."""
    return {
        "mutualctr": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
        "git_commit": git_commit(),
        "lock_sha256": file_digest(ROOT / "requirements.lock"),
        "hardware": hardware(),
    }


def hardware() -> str:
    """As in `2 cores of AMD EPYC, no GPU`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return f"{cores} cores of {_processor()}, {' and '.join(gpus) or 'no GPU'}"


def _processor() -> str:
    """The model where Linux tells it, else whatever the platform calls it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def git_commit() -> str | None:
    """The commit of the checkout, with `+changes` when tracked files differ from it.

    Outside a checkout it is what the image was built from ($MUTUALCTR_COMMIT), if anything.
    """
    if not (ROOT / ".git").exists():
        return os.environ.get("MUTUALCTR_COMMIT")
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if changed else commit


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
