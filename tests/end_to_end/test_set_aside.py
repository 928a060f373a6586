"""Bad rows set aside and drift measured, through the real command."""

import json

from click.testing import CliRunner
from mlflow.tracking import MlflowClient
from small import run_command, small_config

from mutualctr.data.synthetic import generate_criteo
from stack.cli import main

ROWS = 2000
BAD = (3, 40, 1999)
"""Numbers of the rows with a label of 2."""


def test_bad_rows_go_no_further_and_drift_is_in_the_run(tmp_path, tracking_uri):
    path = tmp_path / "clicks.tsv"
    generate_criteo(path, rows=ROWS, seed=3)
    check = ["contract", "check", str(path), "--contract", "criteo", "--out", str(tmp_path)]
    assert CliRunner().invoke(main, check).exit_code == 0
    lines = path.read_text().splitlines(keepends=True)
    for row in BAD:
        lines[row - 1] = "2" + lines[row - 1][1:]
    path.write_text("".join(lines))

    content = small_config()
    content["parameters"]["data"] |= {"quarantine_percent": 0.5, "reference": "snapshot.json"}
    content["parameters"]["registry"] = {"prefix": "aside"}
    finished = run_command(content, tmp_path, tmp_path)
    assert finished.code == 0, finished.output
    assert sum(finished.report["rows"].values()) == ROWS - len(BAD)

    client = MlflowClient(tracking_uri=tracking_uri)
    experiment = client.get_experiment_by_name("dml_finetune")
    (run,) = client.search_runs([experiment.experiment_id], "params.`registry.prefix` = 'aside'")
    assert run.data.metrics["data_rows_set_aside"] == len(BAD)
    client.download_artifacts(run.info.run_id, "validation", str(tmp_path))
    page = (tmp_path / "validation" / "validation.html").read_text()
    assert "Accepted with rows set aside" in page
    assert "<h2>Drift</h2>" in page
    snapshot = json.loads((tmp_path / "validation" / "snapshot.json").read_text())
    assert snapshot["rows"] == ROWS - len(BAD)
