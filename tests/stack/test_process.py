"""Alive, dead, zombie, and a number that was given away again."""

import subprocess
import sys

from stack.process import alive, identity


def test_this_process_lives_and_nobody_does_not():
    assert alive(identity())
    assert not alive(None)


def test_a_reused_number_is_another_process():
    pid, start = identity().split(":")
    assert not alive(f"{pid}:{int(start) - 60_000}")


def test_a_zombie_and_a_reaped_process_are_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = identity(child.pid)
    assert alive(name)
    child.stdin.close()
    while alive(name):
        pass
    child.wait()
    assert not alive(name)
