"""A whole site on loopback, from real servers: ZenML, PostgreSQL, MLflow with passwords, S3 (moto).

Everything lives below one folder and ends with the `with` block.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from remote import AWS

PASSWORD = "correct-horse-battery"
POSTGRES_USER = "postgres"


@dataclass(frozen=True)
class Site:
    """Where things are."""

    folder: Path
    zenml: str
    mlflow: str
    s3: str
    postgres: str

    @property
    def environment(self) -> dict[str, str]:
        """What a person of this site has in the shell."""
        return os.environ | AWS | {
            "ZENML_STORE_TYPE": "rest",
            "ZENML_STORE_URL": self.zenml,
            "ZENML_STORE_USERNAME": "admin",
            "ZENML_STORE_PASSWORD": PASSWORD,
            "ZENML_CONFIG_PATH": str(self.folder / "zenml-client"),
            "ZENML_REPOSITORY_PATH": str(self.folder),
            "MLFLOW_TRACKING_USERNAME": "admin",
            "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        }  # fmt: skip


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Start all servers, wait until each answers, stop them at the end."""
    with ExitStack() as servers:
        s3 = servers.enter_context(_s3(folder))
        postgres = servers.enter_context(_postgres(folder))
        mlflow = servers.enter_context(_mlflow(folder, postgres, s3))
        zenml = servers.enter_context(_zenml(folder))
        yield Site(folder, zenml, mlflow, s3, postgres)


@contextmanager
def _s3(folder: Path) -> Iterator[str]:
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with _server(command, folder / "s3.log", os.environ | AWS, url):
        yield url


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """A cluster of its own with password authentication; the server refuses to be root."""
    binaries = Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())
    data, port = folder / "postgres", _free_port()
    data.mkdir()
    (folder / "password").write_text(PASSWORD)
    as_user = []
    if os.getuid() == 0:
        for path in (data, folder / "password"):
            shutil.chown(path, POSTGRES_USER)
        folder.chmod(0o755)
        as_user = ["runuser", "-u", POSTGRES_USER, "--"]
    initdb = [binaries / "initdb", "-D", data, "-A", "scram-sha-256", "-U", "mlflow", "--no-sync"]
    initdb += [f"--pwfile={folder / 'password'}"]
    subprocess.run([*as_user, *initdb], check=True, capture_output=True)
    command = [binaries / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    with (folder / "postgres.log").open("wb") as log:
        process = subprocess.Popen([*as_user, *command], stdout=log, stderr=log)
        try:
            _wait_for_port(port, process, folder / "postgres.log")
            environment = os.environ | {"PGPASSWORD": PASSWORD}
            for database in ("runs", "users"):
                create = [binaries / "createdb", "-h", "127.0.0.1", "-p", str(port)]
                subprocess.run([*create, "-U", "mlflow", database], check=True, env=environment)
            yield f"postgresql+pg8000://mlflow:{PASSWORD}@127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def _mlflow(folder: Path, postgres: str, s3: str) -> Iterator[str]:
    port = _free_port()
    (folder / "basic_auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
        f"database_uri = {postgres}/users\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    environment = os.environ | AWS | {
        "MLFLOW_S3_ENDPOINT_URL": s3,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "basic_auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret of this test",
    }  # fmt: skip
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--backend-store-uri", f"{postgres}/runs"]
    command += ["--artifacts-destination", "s3://mlflow", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with _server(command, folder / "mlflow.log", environment, f"{url}/health"):
        yield url


@contextmanager
def _zenml(folder: Path) -> Iterator[str]:
    port = _free_port()
    environment = os.environ | {
        "ZENML_CONFIG_PATH": str(folder / "zenml-server"),
        "ZENML_SERVER_AUTO_ACTIVATE": "1",
        "ZENML_DEFAULT_USER_NAME": "admin",
        "ZENML_DEFAULT_USER_PASSWORD": PASSWORD,
        "ZENML_SERVER_DEPLOYMENT_TYPE": "other",
        "ZENML_SERVER_JWT_SECRET_KEY": "a" * 64,
    }  # fmt: skip
    app = "zenml.zen_server.zen_server_api:app"
    command = [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "warning"]
    url = f"http://127.0.0.1:{port}"
    with _server(command, folder / "zenml.log", environment, f"{url}/health"):
        yield url


@contextmanager
def _server(
    command: list[str], log: Path, environment: dict[str, str], health: str, seconds: int = 300
) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd=log.parent
        )
        try:
            _wait_for_answer(health, process, log, seconds)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for_answer(url: str, process: subprocess.Popen, log: Path, seconds: int) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-2000:]}")


def _wait_for_port(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"PostgreSQL does not answer:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
