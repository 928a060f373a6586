"""A file that an alarm runs: to its end, and not in silence where it fails."""

import sys

import pytest

from mutualctr.errors import StackError
from stack.retraining import Retraining, ask_for_retraining, run_here


def test_a_file_is_run_by_this_environments_command(tmp_path):
    asked = ask_for_retraining("mine.yaml")
    assert asked.sentence == "dml_finetune is run with mine.yaml."
    assert asked.command[1:] == ("pipeline", "run", "dml_finetune", "-c", "mine.yaml")
    assert asked.command[0].startswith(sys.prefix)


def test_it_runs_to_its_end_and_its_failure_is_ours(tmp_path):
    ran = tmp_path / "ran"
    run_here(Retraining("", (sys.executable, "-c", f"open({str(ran)!r}, 'w').close()")))
    assert ran.exists()
    run_here(Retraining("the scheduler does it"))
    with pytest.raises(StackError, match="failed with code 3"):
        run_here(Retraining("", (sys.executable, "-c", "raise SystemExit(3)")))
