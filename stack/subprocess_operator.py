"""A step operator for one machine: every step a process of its own, so many at a time, each with
its GPUs.

`zenml step-operator flavor register stack.subprocess_operator.SubprocessFlavor`, or
`mutualctr setup --peers-at-once N`, which also chooses the orchestrator that lets steps overlap.
A process dies with the run that started it, however that ends.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field
from zenml import constants
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import ExecutionStatus
from zenml.models import StepRunResponse
from zenml.step_operators import BaseStepOperator, BaseStepOperatorConfig, BaseStepOperatorFlavor
from zenml.utils import source_utils

from mutualctr.errors import StackError

TETHER = Path(__file__).with_name("tether.py")
GRACE_SECONDS = 10


class SubprocessConfig(BaseStepOperatorConfig):
    """How much of the machine steps may take."""

    at_once: int = Field(ge=1, description="Steps that run at the same time.")
    gpus: int | None = Field(
        default=None, ge=0, description="GPUs to hand out; null counts what nvidia-smi lists."
    )

    @property
    def is_local(self) -> bool:
        return True


class Slots:
    """Who may run: `at_once` holders at a time, each on the GPUs that fewest others use."""

    def __init__(self, at_once: int, gpus: Sequence[str]) -> None:
        self._free = threading.Semaphore(at_once)
        self._users = Counter(dict.fromkeys(gpus, 0))
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, gpus: int) -> Iterator[list[str]]:
        """Wait for a turn; yields GPU ids. Raises StackError where there are fewer GPUs at all."""
        if gpus > len(self._users):
            raise StackError(
                f"resources: a step asks for {gpus} GPUs and this machine hands out "
                f"{len(self._users)}; ask for fewer, or null."
            )
        with self._free:
            with self._lock:
                chosen = sorted(self._users, key=lambda gpu: self._users[gpu])[:gpus]
                self._users.update(chosen)
            try:
                yield chosen
            finally:
                with self._lock:
                    self._users.subtract(chosen)


class SubprocessStepOperator(BaseStepOperator):
    """Starts ZenML's entry point for the step in a child process and waits for it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._slots: Slots | None = None
        self._children: dict[str, Child] = {}
        self._ended = False
        self._lock = threading.Lock()

    @property
    def config(self) -> SubprocessConfig:
        return self._config

    def submit(self, info: Any, entrypoint_command: list[str], environment: dict[str, str]) -> None:
        """Note what to run; `wait` runs it as soon as there is room."""
        theirs = ["-m", "zenml.entrypoints.entrypoint"]
        assert entrypoint_command[1:3] == theirs, "ZenML starts steps in another way now"
        command = [sys.executable, "-m", "stack.step_process", *entrypoint_command[3:]]
        gpus = info.config.resource_settings.gpu_count or 0
        environment = share_of_cores(self.config.at_once) | os.environ | environment
        child = Child(info.pipeline_step_name, command, environment, gpus)
        with self._lock:
            self._children[str(info.step_run_id)] = child
            if self._ended:
                child.end()

    def wait(self, step_run: StepRunResponse) -> ExecutionStatus:
        """Run the step's process to its end; whatever interrupts the wait ends the process.

        Raises StackError where a signal killed it: then nothing else can say why.
        """
        child = self._children[str(step_run.id)]
        with self._slots_of_this_machine().taken(child.gpus) as gpus, own_settings() as settings:
            code = child.run(gpus, settings)
        if code < 0 and not child.cancelled:
            raise StackError(
                f"The process of step `{child.name}` was killed by signal {-code}"
                f"{' (out of memory?)' if code == -9 else ''}; finished steps are kept, so the "
                "same command goes on from here."
            )
        return ExecutionStatus.COMPLETED if code == 0 else ExecutionStatus.FAILED

    def get_status(self, step_run: StepRunResponse) -> ExecutionStatus:
        """Running until `wait` says otherwise."""
        return ExecutionStatus.RUNNING

    def cancel(self, step_run: StepRunResponse) -> None:
        """End the step's process; one that waits for room never starts."""
        self._children[str(step_run.id)].end()

    def end_all(self) -> None:
        """End every process that still runs, and let none start."""
        with self._lock:
            self._ended = True
            children = list(self._children.values())
        for child in children:
            child.end()

    def _slots_of_this_machine(self) -> Slots:
        with self._lock:
            if self._slots is None:
                self._slots = Slots(self.config.at_once, visible_gpus(self.config.gpus))
            return self._slots


@contextmanager
def own_settings() -> Iterator[dict[str, str]]:
    """An environment in which ZenML keeps its settings in a folder that no other process has.

    ZenML empties and writes its files of settings whenever a process starts, so of two that start
    together one may read an empty file and end in a traceback. A step's process is told store,
    stack and project by its environment and needs none of them.
    """
    with tempfile.TemporaryDirectory(prefix="mutualctr-step-") as folder:
        yield {
            constants.ENV_ZENML_CONFIG_PATH: folder,
            constants.ENV_ZENML_REPOSITORY_PATH: folder,
            constants.ENV_ZENML_LOCAL_STORES_PATH: GlobalConfiguration().local_stores_path,
            constants.ENV_ZENML_CUSTOM_SOURCE_ROOT: source_utils.get_source_root(),
        }


def share_of_cores(at_once: int) -> dict[str, str]:
    """An environment in which a step takes no more threads than its share of the cores.

    Left alone each takes all of them, and threads that wait by spinning then hold up those that
    others wait for: two steps at once on two cores took several times as long as one after another.
    """
    known = getattr(os, "sched_getaffinity", None)
    cores = len(known(0)) if known else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(max(1, cores // at_once))}


class SubprocessFlavor(BaseStepOperatorFlavor):
    """`subprocess`."""

    @property
    def name(self) -> str:
        return "subprocess"

    @property
    def config_class(self) -> type[SubprocessConfig]:
        return SubprocessConfig

    @property
    def implementation_class(self) -> type[SubprocessStepOperator]:
        return SubprocessStepOperator


class Child:
    """One step's process: started once, ended from any thread."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], gpus: int):
        self.name = name
        self.gpus = gpus
        self.cancelled = False
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def run(self, gpus: Sequence[str], settings: Mapping[str, str] = MappingProxyType({})) -> int:
        """Start, pass every line on under the step's name, return the exit code.

        `settings` are more of the environment.
        """
        with self._lock:
            if self.cancelled:
                return -15
            visible = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}
            self._process = subprocess.Popen(
                [sys.executable, str(TETHER), str(os.getpid()), *self._command],
                env={**self._environment, **settings, **visible},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        try:
            for line in self._process.stdout:
                sys.stdout.write(f"[{self.name}] {line}")
            return self._process.wait()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Ask the process to end, and after some seconds make it."""
        with self._lock:
            self.cancelled = True
            process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def visible_gpus(configured: int | None) -> list[str]:
    """Ids that CUDA_VISIBLE_DEVICES takes: those this process may see, or all on the machine."""
    inherited = os.environ.get("CUDA_VISIBLE_DEVICES")
    if inherited is not None:
        ids = [gpu for gpu in inherited.split(",") if gpu]
    elif configured is not None:
        ids = [str(gpu) for gpu in range(configured)]
    elif shutil.which("nvidia-smi"):
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], check=True, capture_output=True, text=True
        )
        ids = [str(gpu) for gpu in range(len(listed.stdout.splitlines()))]
    else:
        ids = []
    return ids if configured is None else ids[:configured]
