"""`mutualctr contract` and `mutualctr demo`, as a person types them."""

import json

import pytest
from click.testing import CliRunner

from mutualctr.data.contract_file import load_contract
from mutualctr.data.synthetic import generate_criteo
from stack.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def clicks(tmp_path):
    generate_criteo(tmp_path / "clicks.tsv", rows=1000, seed=3)
    return tmp_path / "clicks.tsv"


def test_init_then_check(clicks, tmp_path):
    done = run("contract", "init", clicks)
    assert done.exit_code == 0, done.output
    (tmp_path / "mine.yaml").write_text(done.output)
    assert load_contract(str(tmp_path / "mine.yaml")).name == "clicks"
    done = run("contract", "check", clicks, "--contract", tmp_path / "mine.yaml", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "1,000 rows" in done.output
    assert "accepted" in done.output
    assert (tmp_path / "validation.html").exists()


def test_check_says_what_is_wrong_and_measures_drift(clicks, tmp_path):
    first = tmp_path / "first"
    assert run("contract", "check", clicks, "--contract", "criteo", "--out", first).exit_code == 0
    lines = clicks.read_text().splitlines()
    lines[4] = "2" + lines[4][1:]
    clicks.write_text("\n".join(lines) + "\n")
    arguments = ["contract", "check", clicks, "--contract", "criteo", "--out", tmp_path / "second"]
    done = run(*arguments)
    assert done.exit_code == 1
    assert "column label must be one of 0, 1 but row 5 has 2" in done.output
    done = run(*arguments, "--quarantine-percent", 1, "--reference", first / "snapshot.json")
    assert done.exit_code == 0, done.output
    assert "accepted with rows set aside" in done.output
    assert (tmp_path / "second" / "quarantine.parquet").exists()
    report = json.loads((tmp_path / "second" / "validation.json").read_text())
    assert report["drift"]["reference_rows"] == 1000
    assert report["drift"]["rows"] == 999


def test_export_prints_a_suite(tmp_path):
    suite = json.loads(run("contract", "export", "flights").output)
    assert suite["name"] == "flights"
    assert {e["severity"] for e in suite["expectations"]} == {"critical", "warning"}


def test_flights_are_written_and_keep_their_contract(tmp_path):
    done = run("demo", "flights", tmp_path / "flights.csv")
    assert done.exit_code == 0, done.output
    assert "327,346 flights" in done.output
    checked = run(
        "contract", "check", tmp_path / "flights.csv", "--contract", "flights", "--out", tmp_path
    )
    assert checked.exit_code == 0, checked.output
    assert "expectations: accepted." in checked.output
