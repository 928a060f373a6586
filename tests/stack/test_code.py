"""The cache sees code, and each room sees only its own."""

import pytest

from stack import code


@pytest.fixture
def house(tmp_path, monkeypatch):
    for name in ("data/read.py", "evaluation/auc.py", "judge.py"):
        path = tmp_path / "mutualctr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "mutualctr" / "training").mkdir()
    (tmp_path / "requirements.lock").write_text("torch==1\n")
    monkeypatch.setattr(code, "ROOT", tmp_path)
    monkeypatch.setattr(code, "LOCK", tmp_path / "requirements.lock")
    return tmp_path


def digests() -> tuple[str, str, str]:
    return code.data_code(), code.training_code(), code.evaluation_code()


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("mutualctr/data/read.py", (True, False, True)),
        ("mutualctr/evaluation/auc.py", (False, False, True)),
        ("mutualctr/judge.py", (False, False, True)),
        ("requirements.lock", (True, True, True)),
    ],
)
def test_an_edit_changes_the_rooms_that_depend_on_it(house, edited, changes):
    before = digests()
    assert digests() == before
    (house / edited).write_text("x = 2\n")
    assert tuple(a != b for a, b in zip(digests(), before, strict=True)) == changes


def test_a_renamed_file_counts(house):
    before = code.data_code()
    (house / "mutualctr/data/read.py").rename(house / "mutualctr/data/reads.py")
    assert code.data_code() != before


def test_the_rooms_exist():
    for room in ("models", "mutualctr/data", "mutualctr/training", "mutualctr/evaluation"):
        assert list((code.ROOT / room).rglob("*.py")), room
    assert (code.ROOT / "mutualctr/judge.py").is_file()
