"""What a person gets wrong: one sentence, an exit code, and nothing registered."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from mlflow.tracking import MlflowClient
from small import small_config

from mutualctr.data.synthetic import generate_criteo

LINE = 41
"""Where the broken line stands in the file."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> list[str]:
    path = tmp_path_factory.mktemp("bad") / "clicks.tsv"
    generate_criteo(path, rows=1000, seed=3)
    return path.read_text().splitlines(keepends=True)


def with_value(lines: list[str], column: int, value: str) -> str:
    values = lines[LINE - 1].rstrip("\n").split("\t")
    values[column] = value
    return "".join([*lines[: LINE - 1], "\t".join(values) + "\n", *lines[LINE:]])


def missing(lines: list[str], path: Path) -> None:
    pass


def truncated(lines: list[str], path: Path) -> None:
    content = gzip.compress("".join(lines).encode())
    path.write_bytes(content[: len(content) // 2])


def short_row(lines: list[str], path: Path) -> None:
    cut = lines[LINE - 1].rsplit("\t", 1)[0] + "\n"
    path.write_text("".join([*lines[: LINE - 1], cut, *lines[LINE:]]))


def label_of_two(lines: list[str], path: Path) -> None:
    path.write_text(with_value(lines, 0, "2"))


def letters_in_i3(lines: list[str], path: Path) -> None:
    path.write_text(with_value(lines, 3, "many"))


def empty(lines: list[str], path: Path) -> None:
    path.write_bytes(b"")


def one_class(lines: list[str], path: Path) -> None:
    path.write_text("".join("0" + line[1:] for line in lines))


FILES: dict[Callable[[list[str], Path], None], tuple[str, tuple[str, ...]]] = {
    missing: ("clicks.tsv", ("no file clicks.tsv", "looked for", "MUTUALCTR_DATA")),
    truncated: ("clicks.tsv.gz", ("clicks.tsv.gz", "truncated")),
    short_row: ("clicks.tsv", ("clicks.tsv", f"line {LINE}", "39", "40")),
    label_of_two: ("clicks.tsv", ("clicks.tsv", "label", "0, 1", f"row {LINE}", "2")),
    letters_in_i3: ("clicks.tsv", ("clicks.tsv", f"line {LINE}", "I3", "many")),
    empty: ("clicks.tsv", ("clicks.tsv", "empty")),
    one_class: ("clicks.tsv", ("clicks.tsv", "label")),
}


@pytest.fixture
def run(tracking_uri, tmp_path, monkeypatch):
    """`zenml pipeline run dml_finetune` in this process; asserts what holds for every failure."""
    from zenml.cli.cli import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUTUALCTR_DATA", str(tmp_path))
    client = MlflowClient(tracking_uri=tracking_uri)

    def fail(content: dict) -> str:
        before = len(client.search_model_versions())
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
        result = CliRunner().invoke(cli, ["pipeline", "run", "dml_finetune", "-c", "run.yaml"])
        assert result.exit_code == 1, result.output
        assert not (tmp_path / "outputs" / "latest").exists()
        assert len(client.search_model_versions()) == before
        last = result.output.strip().splitlines()[-1]
        assert last.startswith("Error: "), result.output
        assert last.endswith((".", "?")), last
        assert "Traceback" not in result.output
        return last

    return fail


@pytest.mark.parametrize("spoil", FILES, ids=lambda spoil: spoil.__name__)
def test_a_bad_file_gets_one_sentence(spoil, lines, run, tmp_path):
    name, words = FILES[spoil]
    spoil(lines, tmp_path / name)
    sentence = run(small_config(name))
    for word in words:
        assert word in sentence, sentence


def test_a_misspelt_key_names_the_nearest(run):
    content = small_config()
    content["parameters"]["finetuning"]["wieght"] = 2.0
    assert "`finetuning.wieght` is not a known key; did you mean `weight`?" in run(content)


def test_an_unknown_architecture_names_the_nearest(run):
    content = small_config()
    content["parameters"]["peers"][0]["architecture"] = "deepfn"
    assert "`deepfn` is not a known architecture; did you mean `deepfm`?" in run(content)


def test_a_stack_without_a_tracker_says_how_to_get_one(run, lines, tmp_path):
    from zenml.client import Client

    (tmp_path / "clicks.tsv").write_text("".join(lines))
    client = Client()
    before = client.active_stack_model.id
    client.activate_stack("default")
    try:
        sentence = run(small_config())
    finally:
        client.activate_stack(before)
    assert "stack `default` has no MLflow experiment tracker; run `make setup`" in sentence
