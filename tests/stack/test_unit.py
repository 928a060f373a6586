"""What starts the scheduler, with paths that need care."""

import sys
from pathlib import Path

from stack.scheduling.unit import cron_line, systemd_unit


def test_paths_are_absolute_and_escaped(tmp_path, monkeypatch):
    folder = tmp_path / "50% of it"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MUTUALCTR_DATA", '/data/"all" of it')
    command = Path(sys.executable).with_name("mutualctr")
    unit = systemd_unit()
    assert f'\nExecStart="{command}" scheduler\n' in unit
    assert f"\nWorkingDirectory={tmp_path}/50%% of it\n" in unit
    assert 'Environment="MUTUALCTR_DATA=/data/\\"all\\" of it"\n' in unit
    assert "\nRestart=on-failure\n" in unit
    assert "\nKillMode=mixed\n" in unit
    line = cron_line()
    assert line.startswith(f"* * * * * cd '{tmp_path}/50\\% of it' && ")
    assert line.endswith(f"{command} scheduler --once\n")
    assert line.count("\n") == 1
