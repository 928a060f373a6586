"""What a figure was measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "pyarrow", "duckdb", "great-expectations", "torch")


def hardware() -> dict[str, Any]:
    """Processor, cores, memory, system and the versions that matter."""
    described = Path("/proc/cpuinfo")
    model = platform.processor()
    if described.exists():
        lines = described.read_text(encoding="utf-8").splitlines()
        model = next((x.split(": ")[1] for x in lines if x.startswith("model name")), model)
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
    }
