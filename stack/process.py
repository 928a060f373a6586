"""Which process is at work on something, and whether it still is."""

import platform

import psutil

PROCESS = "mutualctr_process"
"""Key in a run's `extra` under which `here()` of the process that started it is kept."""


def here() -> dict[str, str]:
    """This process and the machine it is on."""
    return {"host": platform.node(), "process": identity()}


def identity(pid: int | None = None) -> str:
    """`pid:start` of a process (this one where no pid is given).

    The start time, in milliseconds, tells a process from a later one that was given its number.
    """
    process = psutil.Process(pid)
    return f"{process.pid}:{round(process.create_time() * 1000)}"


def alive(process: str | None) -> bool:
    """Does the process of this identity still run on this machine? A zombie does not."""
    if process is None:
        return False
    pid = int(process.split(":")[0])
    try:
        same = identity(pid) == process
        return same and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
