"""The zip that a version carries: all that serving imports, and nothing else."""

import shutil
import subprocess
import sys
import zipfile

import pytest

from mutualctr.registry import served_code

PROGRAM = """
import runpy, sys
runpy.run_path(sys.argv[1])
ours = {n: m.__file__ for n, m in sys.modules.items() if n.split('.')[0] in ('mutualctr', 'models')}
left = [entry for entry in sys.path if entry == sys.argv[2]]  # would be found by everyone
print(len(ours), sorted(n for n, file in ours.items() if not file.startswith(sys.argv[2])) + left)
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """serve.py → rooms.near (which, only when called, → rooms.far); rooms.alone is for nobody."""
    rooms = tmp_path / "tree" / "rooms"
    rooms.mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "near.py": "def late():\n    from rooms import far\n    return far\n",
        "far.py": "import json\n",
        "alone.py": "raise SystemExit\n",
        "../serve.py": "from rooms import near\n",
    }.items():
        (rooms / name).write_text(text)
    monkeypatch.setattr(served_code, "ROOT", rooms.parent)
    monkeypatch.setattr(served_code, "SERVING", rooms.parent / "serve.py")
    return rooms


def test_the_archive_has_what_is_imported_even_late(tree, tmp_path):
    with zipfile.ZipFile(served_code.write_archive(tmp_path)) as archive:
        names = archive.namelist()
        assert archive.read("rooms/far.py") == b"import json\n"
    assert names == ["rooms/__init__.py", "rooms/far.py", "rooms/near.py", "serve.py"]


def test_equal_code_is_an_equal_archive_and_digest(tree, tmp_path):
    first = served_code.write_archive(tmp_path).read_bytes(), served_code.served_digest()
    (tree / "alone.py").write_text("changed = True\n")
    (tree / "far.py").touch()
    again = served_code.write_archive(tmp_path).read_bytes(), served_code.served_digest()
    (tree / "far.py").write_text("import json  # changed\n")
    other = served_code.write_archive(tmp_path).read_bytes(), served_code.served_digest()
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


def test_serving_runs_from_the_archive_alone(tmp_path):
    """As MLflow lays a version out, in a process that sees nothing else of ours first."""
    code = tmp_path / "code"
    code.mkdir()
    archive = served_code.write_archive(code)
    program = shutil.copy(served_code.SERVING, tmp_path)
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, program, archive],
        cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    count, elsewhere = done.stdout.split(maxsplit=1)
    assert int(count) > 30
    assert elsewhere.strip() == "[]"
