"""What the image's HEALTHCHECK asks."""

import pytest
from click.testing import CliRunner

from mutualctr.errors import StackError
from mutualctr.health import check_health
from stack.cli import main


def test_a_healthy_installation_says_what_it_has():
    result = CliRunner().invoke(main, ["health"])
    assert result.exit_code == 0, result.output
    for words in ("healthy: torch 2.", " GPUs, ", "architectures", "criteo"):
        assert words in result.output


def test_a_folder_that_cannot_be_written_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("os.access", lambda folder, mode: False)
    with pytest.raises(StackError, match="cannot be written; mount a volume there"):
        check_health()
