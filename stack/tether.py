"""Run a command that dies with the process that started it, even when that one is killed.

python tether.py PARENT COMMAND…  On Linux the kernel sends SIGTERM when the starting thread is
gone; elsewhere the command runs untethered. Imports nothing of ours, so that it starts at once.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(sys.argv[1]):  # it died before the line above
            sys.exit(1)
    os.execvp(sys.argv[2], sys.argv[2:])
