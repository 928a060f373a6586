"""The paper's set-ups on real clicks: configs/ as they are, the source and the size overridden."""

import yaml
from click.testing import CliRunner
from small import ROOT, run_command

from stack.cli import main


def overridden(name: str, *changes: str) -> dict:
    """What `mutualctr config configs/<name> --set …` prints."""
    arguments = [word for change in changes for word in ("--set", change)]
    result = CliRunner().invoke(main, ["config", str(ROOT / "configs" / name), *arguments])
    assert result.exit_code == 0, result.output
    return yaml.safe_load(result.output)


def test_avazu_on_its_sample(data_folder, tracking_uri, tmp_path):
    content = overridden("avazu.yaml", "data.source=avazu_dev.csv.gz", "pretraining.epochs=1")
    finished = run_command(content, tmp_path, data_folder)
    assert finished.code == 0, finished.output
    report = finished.report
    assert report["rows"] == {"train": 7201, "dev": 899, "test": 899}
    assert [peer["architecture"] for peer in report["peers"]] == ["deepfm", "dcn", "pnn", "fibinet"]
    assert report["config"]["optimizer"]["batch_rows"] == 4000


def test_criteo_on_its_sample(data_folder, tracking_uri, tmp_path):
    content = overridden(
        "criteo.yaml",
        "data.source=criteo_dev.tsv.gz",
        "pretraining.epochs=1",
        "network.embedding_dim=4",
        "network.hidden=[32, 16]",
    )
    finished = run_command(content, tmp_path, data_folder)
    assert finished.code == 0, finished.output
    assert finished.report["rows"]["train"] == 79340
    assert finished.report["baseline"]["auc"] > 0.74


def test_the_override_is_checked():
    arguments = ["config", str(ROOT / "configs" / "avazu.yaml"), "--set", "data.sorce=x"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "did you mean `source`?" in result.output
