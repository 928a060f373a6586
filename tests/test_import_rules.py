"""Who may import whom. A room not listed here fails the test, so that a new one is a decision."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"models", "mutualctr", "stack", "steps", "pipelines"}
MAY_IMPORT = {
    "models": {"models"},
    "mutualctr": {"models", "mutualctr"},
    "stack": {"mutualctr", "stack"},
    "steps": {"mutualctr", "stack", "steps"},
    "pipelines": {"mutualctr", "stack", "steps", "pipelines"},
}
NEVER_ZENML = {"models", "mutualctr"}
PICKLES = {"pickle", "cloudpickle", "joblib", "dill"}
STANDARD_FOR_MODELS = {
    "torch", "abc", "collections", "contextlib", "contextvars", "dataclasses", "inspect", "typing",
    "math",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """Top-level packages a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def test_rooms_import_only_what_they_may():
    visited = 0
    for room, allowed in MAY_IMPORT.items():
        for path in sorted((ROOT / room).rglob("*.py")):
            packages = imported(path)
            assert packages & OURS <= allowed, path
            assert not packages & PICKLES, path
            if room in NEVER_ZENML:
                assert "zenml" not in packages, path
            if room == "models":
                assert packages <= STANDARD_FOR_MODELS | {"models"}, path
            visited += 1
    assert visited > 70


def test_every_room_is_listed():
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms == OURS


def test_steps_are_thin():
    for path in (ROOT / "steps").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[-1].end_lineno - node.body[0].lineno + 1
                assert body <= 25, f"{path.name}:{node.name} has {body} lines"


JUDGING = {"great_expectations", "sklearn", "matplotlib", "optuna", "onnx", "onnxruntime"}
LEARNING = {"torch", "safetensors"}
ANYTHING = {"zenml", "mlflow", "sqlalchemy", "pandas", "numpy", "pyarrow", "duckdb", "scipy"}
WITHOUT = {
    "import stack.cli, stack.cli_plan": ANYTHING | LEARNING | JUDGING,
    "import stack.cli_models, stack.setup, mutualctr.registry.aliases": LEARNING | JUDGING,
    "import dml_finetune, dml_score": JUDGING,
}
"""What people wait for at every command: help; `models list`; a run before its first step."""


@pytest.mark.parametrize("code", WITHOUT)
def test_what_a_command_does_not_import(code):
    show = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {show}"], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    imported_too = set(done.stdout.decode().splitlines()[-1].split())
    assert not imported_too & WITHOUT[code]
