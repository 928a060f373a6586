"""What the pod of a CronJob does: one firing of a schedule, `python -m stack.scheduling.fired ID`.

The CronJob says when and that one night waits for the other; attempts, pauses and the telling are
those of the local scheduler. Nobody stands beside this process: what it cannot tell because the
cluster killed it, only the cluster's own monitoring can.
"""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from zenml.client import Client

from stack.kubernetes_flavor import CRON_JOBS
from stack.scheduling.launch import stored_run
from stack.scheduling.policy import policy_in
from stack.scheduling.store import ORIGIN, snapshot_of
from stack.telling import SCHEDULED, check_alerts, tell_failure

FIRED = "MUTUALCTR_FIRED"
"""Set in the environment of a CronJob's pod."""
WAIT = {f"orchestrator.{CRON_JOBS}": {"synchronous": True}}
"""The firing lasts as long as its run, so that `Forbid` keeps the next night waiting."""


def fire(schedule: str) -> int:
    """Run until it ends well or the attempts are used up; then tell. Exit code of the last one.

    Raises ConfigError for a schedule without a stored configuration, StackError where its stack is
    gone.
    """
    snapshot = snapshot_of(schedule)
    content = snapshot.pipeline_configuration.extra[ORIGIN]["content"]
    name = Client().get_schedule(schedule, allow_name_prefix_match=False).name
    policy = policy_in(content, f"schedule {name}")
    command = stored_run(schedule, name, settings=WAIT)
    for attempt in range(1, policy.retries + 2):
        code, said = _attempt(command)
        if code in (0, 128 + signal.SIGTERM):  # the second: the cluster took the pod away
            return code
        if attempt <= policy.retries:
            pause = policy.retry_pause(attempt)
            print(f"Attempt {attempt} failed with code {code}; the next in {pause:.0f} s.")
            time.sleep(pause)
    alerts = check_alerts(content, f"schedule {name}")
    attempts = "1 attempt" if policy.retries == 0 else f"{policy.retries + 1} attempts"
    tell_failure(alerts, snapshot.pipeline.name, f"{name} is given up after {attempts}: {said}")
    return code


def _attempt(command: list[str]) -> tuple[int, str]:
    """Exit code and last word of one run, whose output is passed on; SIGTERM too, which ends it."""
    child = subprocess.Popen(
        command,
        env=os.environ | {"ZENML_LOGGING_COLORS_DISABLED": "true", SCHEDULED: "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )

    def pass_on(signum: int, frame: FrameType | None) -> None:
        child.send_signal(signum)

    before = signal.signal(signal.SIGTERM, pass_on)
    last, error = "It said nothing.", ""
    assert child.stdout is not None
    try:
        for line in child.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
            error = last if last.startswith("Error: ") else error
        code = child.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    if code < 0:
        return 128 - code, f"it was killed by {signal.Signals(-code).name}."
    return code, error or last


if __name__ == "__main__":
    # The first process of a container hears no signal that it has no handler for.
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
    raise SystemExit(fire(sys.argv[1]))
