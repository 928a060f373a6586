"""`mutualctr models`: what it says when there is nothing to do as asked."""

import pytest
from click.testing import CliRunner
from mlflow.tracking import MlflowClient

from mutualctr.registry import aliases
from mutualctr.registry.once import Artifact, version_once
from stack.cli import main


@pytest.fixture(scope="module")
def versions(tracking_uri, tmp_path_factory):
    client = MlflowClient(tracking_uri=tracking_uri)
    folder = tmp_path_factory.mktemp("cli")
    run = client.create_run(client.create_experiment(f"cli {folder}"))
    artifact = Artifact(str(folder), run.info.run_id, None)
    return [
        version_once(client, "cli", key, lambda: artifact, {"peer": f"dcn-{key}", "auc": 0.7})
        for key in "ab"
    ]


def models(*arguments: str):
    return CliRunner().invoke(main, ["models", *arguments])


def test_promote_and_rollback_say_what_they_did(versions):
    assert "cli/1 serves. The gate was not asked." in models("promote", "cli/1").output
    assert "cli/2 serves instead of cli/1" in models("promote", "cli/2").output
    listed = models("list").output
    assert "dcn-b" in listed
    assert listed.index("previous") > listed.index("champion")  # the newest comes first
    assert "cli/1 serves again instead of cli/2" in models("rollback", "cli").output
    shown = models("show", "cli/2").output
    assert "rolled_back" in shown
    assert "It has no card." in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "cly"), "No registered model is called `cly`"),
        (("show", "cli/9"), "cli has no version 9; it has: 1, 2."),
        (("promote", "cli@next"), "No version of cli is its next; it has the aliases champion."),
        (
            ("compare", "cli/1", "cli/2", "--run", "none"),
            "run called none",
        ),
        (("compare", "cli/1", "cli/2", "--source", "no.tsv"), "There is no file no.tsv"),
    ],
)
def test_an_impossible_wish_gets_one_sentence(versions, arguments, sentence):
    done = models(*arguments)
    assert done.exit_code == 1
    assert sentence in done.output
    assert done.output.count("\n") == 1


def test_a_rollback_without_a_predecessor_moves_nothing(versions, tracking_uri):
    client = MlflowClient(tracking_uri=tracking_uri)
    aliases.promote(client, versions[0], aliases.at_alias(client, "cli", "champion"), "test")
    client.delete_registered_model_alias("cli", "previous")
    done = models("rollback", "cli")
    assert done.exit_code == 1
    assert "cli/1 replaced no version" in done.output
    assert aliases.number(aliases.at_alias(client, "cli", "champion")) == 1


def test_a_stack_without_mlflow_gets_one_sentence(tracking_uri, monkeypatch):
    class Bare:
        experiment_tracker = None

    class Model:
        name, components = "default", {}

    monkeypatch.setattr("stack.setup.Client", lambda: type("C", (), {"active_stack": Bare}))
    monkeypatch.setattr("stack.check.Client", lambda: type("C", (), {"active_stack_model": Model}))
    result = models("list")
    assert result.exit_code == 1
    assert "`default` has no MLflow experiment tracker; run `make setup`" in result.output
