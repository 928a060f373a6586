"""Cache policies that see the code: ZenML's own key holds a step's source, not what it calls.

Each policy adds a digest over the rooms that decide a step's output and over the lock, so that
an edit in mutualctr/evaluation repeats no training.
"""

import hashlib
import uuid
from pathlib import Path

from zenml.config.cache_policy import CachePolicy

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"


def code_digest(*rooms: str) -> str:
    """SHA-256 over the Python files in and below the rooms (or single files) and over the lock."""
    files = [LOCK]
    for room in rooms:
        path = ROOT / room
        files += [path] if path.is_file() else sorted(path.rglob("*.py"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def data_code() -> str:
    """What decides events, validation, split and blocks."""
    return code_digest("mutualctr/data")


def training_code() -> str:
    """What decides weights."""
    return code_digest("models", "mutualctr/training")


def evaluation_code() -> str:
    """What decides the report."""
    return code_digest(
        "models",
        "mutualctr/data",
        "mutualctr/training",
        "mutualctr/evaluation",
        "mutualctr/judge.py",
    )


def study_code() -> str:
    """What decides a study's cells and its report."""
    return code_digest(
        "models", "mutualctr/data", "mutualctr/training", "mutualctr/evaluation", "mutualctr/study"
    )


def cell_code() -> str:
    """What decides one cell of a study."""
    return code_digest(
        "models", "mutualctr/training", "mutualctr/study/train.py", "mutualctr/study/plan.py"
    )


def another() -> str:
    """Never the same twice."""
    return uuid.uuid4().hex


DATA = CachePolicy(cache_func=data_code)
TRAINING = CachePolicy(cache_func=training_code)
EVALUATION = CachePolicy(cache_func=evaluation_code)
STUDY = CachePolicy(cache_func=study_code)
NEVER = CachePolicy(cache_func=another)
"""For steps that read or write a registry: `enable_cache: true` in a run's file overrides a step's
own `enable_cache=False`."""
