"""Who may import whom. A room not listed here fails the test, so that a new one is a decision."""

import ast
from pathlib import Path

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
