"""The pages on loopback: MLflow's always, ZenML's dashboard where `zenml[server]` is installed.

`zenml login --local` would make every later command talk to that server; this one only reads the
same SQLite store, and ends with the command that started it.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from zenml import constants
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import AuthScheme, StoreType
from zenml.models import ServerDeploymentType

HOST = "127.0.0.1"
NEEDED = ("fastapi", "uvicorn", "jwt", "secure")
"""Packages of `zenml[server]` that a plain installation lacks."""


def serve_pages(
    tracking_uri: str, mlflow_port: int, zenml_port: int, say: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C, a SIGTERM, or MLflow's end; `say` gets a line for each address."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    mlflow = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", tracking_uri]
    with ExitStack() as stack:
        if _has_dashboard():
            stack.enter_context(_dashboard(zenml_port))
            say(f"ZenML:  http://{HOST}:{zenml_port}")
        server = stack.enter_context(_running(mlflow, mlflow_port, {}))
        say(f"MLflow: http://{HOST}:{mlflow_port} (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):
            server.wait()


def _has_dashboard() -> bool:
    """Whether ZenML's server is installed and the store is one that it can open."""
    local = GlobalConfiguration().store_configuration.type == StoreType.SQL
    return local and all(importlib.util.find_spec(name) is not None for name in NEEDED)


@contextmanager
def _dashboard(port: int) -> Iterator[None]:
    """ZenML's server in a process of its own, with a configuration folder of its own."""
    configuration = GlobalConfiguration()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            constants.ENV_ZENML_SERVER: "true",
            constants.ENV_ZENML_SERVER_ALLOW_LOCAL_FILE_ACCESS: "true",
            constants.ENV_ZENML_CONFIG_PATH: folder,
            constants.ENV_ZENML_LOCAL_STORES_PATH: configuration.local_stores_path,
            constants.ENV_ZENML_USER_ID: str(configuration.user_id),
            constants.ENV_ZENML_SERVER_AUTH_SCHEME: AuthScheme.NO_AUTH.value,
            constants.ENV_ZENML_SERVER_DEPLOYMENT_TYPE: ServerDeploymentType.LOCAL.value,
            constants.ENV_ZENML_SERVER_AUTO_ACTIVATE: "true",
            constants.ENV_ZENML_DISABLE_DATABASE_MIGRATION: "true",
        }
        command = [sys.executable, "-m", "uvicorn", constants.ZEN_SERVER_ENTRYPOINT]
        with _running([*command, "--log-level", "warning"], port, environment):
            yield


@contextmanager
def _running(
    command: list[str], port: int, environment: dict[str, str]
) -> Iterator[subprocess.Popen]:
    """A server on loopback that ends with the block."""
    server = subprocess.Popen(
        [*command, "--host", HOST, "--port", str(port)], env=os.environ | environment
    )
    try:
        yield server
    finally:
        server.terminate()
        server.wait(30)
