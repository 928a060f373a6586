"""Processes that die with the run, GPUs that are shared out, steps that overlap in order."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from zenml.client import Client

from mutualctr.errors import StackError
from stack.parallel_orchestrator import run_in_order
from stack.subprocess_operator import (
    TETHER,
    Child,
    Slots,
    own_settings,
    share_of_cores,
    visible_gpus,
)


def child(code: str, gpus: int = 0) -> Child:
    return Child("peer", [sys.executable, "-c", code], dict(os.environ), gpus)


def test_lines_come_as_they_are_printed_and_the_exit_code_last(capsys):
    code = child("print('one'); import sys; print('two', file=sys.stderr); sys.exit(3)").run([])
    assert code == 3
    assert sorted(capsys.readouterr().out.splitlines()) == ["[peer] one", "[peer] two"]


def test_a_child_sees_its_gpus_only(capsys):
    show = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    assert child(show, 2).run(["4", "7"]) == 0
    assert capsys.readouterr().out == "[peer] 4,7\n"


def test_a_step_writes_none_of_the_settings_that_others_read(tracking_uri, capsys):
    # ZenML writes them whenever a process starts, and who reads at that moment finds nothing.
    from zenml.orchestrators.utils import get_config_environment_vars

    environment, _ = get_config_environment_vars()
    files = [
        Path(os.environ["ZENML_CONFIG_PATH"]) / "config.yaml",
        Path(os.environ["ZENML_REPOSITORY_PATH"]) / ".zen" / "config.yaml",
    ]
    look = "from zenml.client import Client; print(len(Client().list_stacks()))"
    step = Child("peer", [sys.executable, "-c", look], os.environ | environment, 0)
    before = [file.stat().st_mtime_ns for file in files]
    with own_settings() as settings:
        assert step.run([], settings) == 0
    assert [file.stat().st_mtime_ns for file in files] == before
    assert f"[peer] {len(Client().list_stacks())}\n" in capsys.readouterr().out


def test_ending_it_ends_it_at_once():
    sleeper = child("import time; time.sleep(60)")
    codes = []
    thread = threading.Thread(target=lambda: codes.append(sleeper.run([])))
    thread.start()
    while sleeper._process is None:
        time.sleep(0.01)
    sleeper.end()
    thread.join(20)
    assert codes == [-signal.SIGTERM]
    late = child("raise SystemExit('never')")
    late.end()
    assert late.run([]) == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="the tether is the Linux kernel's")
def test_a_child_dies_with_a_killed_parent():
    code = (
        "import os, subprocess, sys, time\n"
        f"tether = [sys.executable, {str(TETHER)!r}, str(os.getpid())]\n"
        "p = subprocess.Popen([*tether, 'sleep', '60'])\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    for _ in range(1000):  # while a process becomes another its command line reads as empty
        if b"sleep" in command_of(pid):
            break
        time.sleep(0.01)
    else:
        raise AssertionError("the tether never became the command")
    parent.kill()
    parent.wait()
    for _ in range(1000):
        if not command_of(pid):
            return
        time.sleep(0.01)
    raise AssertionError("the child outlived its parent")


def command_of(pid: int) -> bytes:
    """The command line of a living process; nothing of a dead or unburied one."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_gpus_go_round():
    slots = Slots(at_once=4, gpus=["0", "1", "2"])
    with slots.taken(1) as a, slots.taken(1) as b, slots.taken(1) as c, slots.taken(1) as d:
        assert [a, b, c, d] == [["0"], ["1"], ["2"], ["0"]]
    with slots.taken(2) as a, slots.taken(2) as b, slots.taken(0) as none:
        assert (a, b, none) == (["0", "1"], ["2", "0"], [])
    with pytest.raises(StackError, match="asks for 4 GPUs and this machine hands out 3"):
        with slots.taken(4):
            pass


def test_no_more_than_so_many_at_once():
    slots, running, most = Slots(at_once=2, gpus=[]), [], []

    def hold() -> None:
        with slots.taken(0):
            running.append(1)
            most.append(len(running))
            time.sleep(0.02)
            running.pop()

    threads = [threading.Thread(target=hold) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2
    assert len(most) == 6


def test_which_gpus_there_are(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert visible_gpus(None) == ["3", "5"]
    assert visible_gpus(1) == ["3"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus(2) == ["0", "1"]


def test_nvidia_smi_is_asked_last(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A'\necho 'GPU 1: A'\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus(None) == []
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert visible_gpus(None) == ["0", "1"]


def steps(**wiring: tuple[bool, list[str]]) -> dict[str, SimpleNamespace]:
    return {
        name: SimpleNamespace(
            config=SimpleNamespace(step_operator=remote),
            spec=SimpleNamespace(upstream_steps=upstream),
        )
        for name, (remote, upstream) in wiring.items()
    }


def test_steps_elsewhere_overlap_and_every_step_waits_for_its_inputs():
    together, log = threading.Barrier(2, timeout=20), []

    def elsewhere(name, step):
        if name in ("a", "b"):
            together.wait()  # passes only if both are running
        log.append(name)

    def here(name, step):
        assert threading.current_thread() is threading.main_thread()
        log.append(name)

    wired = steps(
        first=(False, []), a=(True, ["first"]), b=(True, ["first"]),
        both=(True, ["a", "b"]), last=(False, ["both"]),
    )  # fmt: skip
    run_in_order(wired, here, elsewhere, end_all=lambda: None)
    assert log[0] == "first"
    assert set(log[1:3]) == {"a", "b"}
    assert log[3:] == ["both", "last"]


def test_the_first_failure_ends_the_others():
    released, ended = threading.Event(), []

    def elsewhere(name, step):
        if name == "bad":
            raise ValueError("bad")
        assert released.wait(20)

    def end_all():
        ended.append(True)
        released.set()

    wired = steps(slow=(True, []), bad=(True, []), never=(True, ["slow"]))
    with pytest.raises(ValueError, match="bad"):
        run_in_order(wired, lambda *_: None, elsewhere, end_all)
    assert ended == [True]


@pytest.mark.parametrize(("cores", "at_once", "threads"), [(2, 2, 1), (16, 4, 4), (2, 4, 1)])
def test_a_step_takes_its_share_of_the_cores(cores, at_once, threads, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda of: set(range(cores)))
    assert share_of_cores(at_once) == {"OMP_NUM_THREADS": str(threads)}
