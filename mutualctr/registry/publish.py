"""The end of a run: what people browse in MLflow, and the versions they can load."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput
from mlflow.entities.model_registry import ModelVersion

from mutualctr.cohort import cohort_name
from mutualctr.config import RunConfig
from mutualctr.reference import Blocks, Report, Validation
from mutualctr.registry import card
from mutualctr.registry.register import content_key, register_version
from mutualctr.registry.tracking import Tracker
from mutualctr.trained import Trained
from mutualctr.training import checkpoint

MEASURES = ("auc", "logloss", "pcoc", "ece", "relaimp")


def publish(
    tracker: Tracker,
    pipeline_run: str,
    config: RunConfig,
    validation: Validation,
    blocks: Blocks,
    report: Report,
    trained: Sequence[Trained],
) -> list[dict[str, Any]]:
    """Fill the parent run, finish every child, register every checkpoint.

    Returns one record per checkpoint: {peer, arm, model, version, run_id}.
    """
    numbers = json.loads((report.folder / "report.json").read_text(encoding="utf-8"))
    _describe_parent(tracker, config, report, numbers)
    _attach_validation(tracker, validation)
    feature_folder = blocks.folder / "features"
    published = []
    with tempfile.TemporaryDirectory() as scratch:
        curves = _draw_curves(numbers, Path(scratch))
        for item in trained:
            peer_card = checkpoint.read_card(item.folder)
            measured = _measured(numbers, item)
            run_id = _child_of_this_run(tracker, item, peer_card, curves[item.peer.name])
            tags = {
                "phase": item.arm,
                "peer": item.peer.name,
                "cohort": cohort_name(config),
                "group": item.peer.group,
                "seed": peer_card.seed,
                "start": peer_card.began,
                "pipeline_run": pipeline_run,
                "auc": measured["auc"],
            }
            tracker.set_tags(run_id, tags)
            tracker.log_metrics(run_id, {f"test_{name}": measured[name] for name in MEASURES})
            version = register_version(
                tracker,
                run_id,
                name=f"{config.registry.prefix}-{peer_card.architecture}",
                key=content_key(item.arm, item.folder, feature_folder),
                checkpoint=item.folder,
                feature_folder=feature_folder,
                tags=tags,
            )
            _describe_version(tracker, version, run_id, numbers, validation, item)
            published.append(
                {
                    "peer": item.peer.name,
                    "arm": item.arm,
                    "model": version.name,
                    "version": int(version.version),
                    "run_id": run_id,
                }
            )
    return published


def _draw_curves(numbers: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """One picture a peer, whatever the arms that show it."""
    from mutualctr.evaluation.curves import peer_figure

    paths = {}
    for peer in numbers["peers"]:
        path = folder / peer["name"] / "learning_curve.png"
        path.parent.mkdir()
        peer_figure(numbers, peer["name"]).savefig(path)
        paths[peer["name"]] = path
    return paths


def _describe_parent(
    tracker: Tracker, config: RunConfig, report: Report, numbers: Mapping[str, Any]
) -> None:
    run_id, dataset = tracker.parent_run_id, numbers["dataset"]
    tracker.log_params(run_id, config.model_dump(mode="json", exclude={"peers"}))
    tracker.log_params(
        run_id, {"peers": [f"{peer.architecture} seed {peer.seed}" for peer in config.peers]}
    )
    tracker.set_tags(
        run_id,
        {
            "cohort": cohort_name(config),
            "data.sha256": dataset["sha256"],
            "git_commit": numbers["versions"]["git_commit"],
            "lock_sha256": numbers["versions"]["lock_sha256"],
            "mlflow.note.content": report.headline,
        },
    )
    means = {
        f"{arm}_{name}": sum(entry[name] for entry in entries) / len(entries)
        for arm, entries in numbers["arms"].items()
        for name in MEASURES
    }
    tracker.log_metrics(run_id, means | {"baseline_auc": numbers["baseline"]["auc"]})
    described = Dataset(
        name=dataset["name"],
        digest=dataset["sha256"][:36],
        source_type="local",
        source=json.dumps({"uri": dataset["source"]}),
        profile=json.dumps(numbers["rows"]),
    )
    tracker.client.log_inputs(run_id, datasets=[DatasetInput(described)])
    for suffix in ("html", "md", "json"):
        tracker.client.log_artifact(run_id, str(report.folder / f"report.{suffix}"))


def _attach_validation(tracker: Tracker, validation: Validation) -> None:
    """The contract's verdict, drift included, and the snapshot for later runs."""
    tracker.log_metrics(
        tracker.parent_run_id,
        {"data_warnings": validation.warnings, "data_rows_set_aside": validation.set_aside},
    )
    for name in ("validation.html", "validation.json", "snapshot.json"):
        path = str(validation.folder / name)
        tracker.client.log_artifact(tracker.parent_run_id, path, "validation")


def _describe_version(
    tracker: Tracker,
    version: ModelVersion,
    run_id: str,
    numbers: Mapping[str, Any],
    validation: Validation,
    item: Trained,
) -> None:
    """The card of the version, about the latest run that has it, and that of its model."""
    client, name = tracker.client, version.name
    links = card.links(tracker, run_id)
    text = card.version_card(numbers, validation, item.peer.name, item.arm, links)
    client.update_model_version(name, version.version, text)
    prefix, architecture = name.rsplit("-", 1)
    client.update_registered_model(name, card.peers_model(architecture, prefix))


def _child_of_this_run(
    tracker: Tracker, item: Trained, peer_card: checkpoint.Checkpoint, curve: Path
) -> str:
    """The run that saw the peer train, or a copy of it where that was an earlier pipeline run."""
    original = tracker.client.get_run(item.run_id)
    run_id = item.run_id
    if original.data.tags.get("mlflow.parentRunId") != tracker.parent_run_id:
        run_id = tracker.open_child(original.info.run_name, original.data.params)
        for point in peer_card.curve:
            tracker.log_point(run_id, point)
        tracker.set_tags(run_id, {"trained_in": item.run_id})
        tracker.close_child(run_id)
    tracker.client.log_artifact(run_id, str(curve))
    return run_id


def _measured(numbers: Mapping[str, Any], item: Trained) -> Mapping[str, Any]:
    (entry,) = [e for e in numbers["arms"][item.arm] if e["peer"] == item.peer.name]
    return entry
