"""A pipeline of one step that does what a file tells it."""

import inspect
import time
from pathlib import Path
from typing import Any

from zenml import step

from mutualctr.config import RunConfig
from stack.pipeline import DEFAULT_CONFIG, ConfiguredPipeline

ORDERS = Path("orders")
"""`fail` or `sleep`; nothing to do where there is none."""


@step(enable_cache=False)
def obey() -> None:
    """Fail, sleep for a minute, or neither."""
    order = ORDERS.read_text() if ORDERS.exists() else ""
    if order == "fail":
        raise RuntimeError("told to fail")
    if order == "sleep":
        print("asleep", flush=True)
        time.sleep(60)


def wire(**sections: Any) -> None:
    """Only the step; takes every section of RunConfig, whichever there are."""
    obey()


wire.__signature__ = inspect.Signature(
    [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Any)
        for name in RunConfig.model_fields
    ]
)


def show_nothing(run: Any) -> None:
    """There is no report."""


tiny = ConfiguredPipeline("tiny", wire, RunConfig, DEFAULT_CONFIG, show_nothing)
