"""The nightly pipeline: from a click log to registered, mutually finetuned peers."""

from typing import Any

from mutualctr.cohort import groups_of
from mutualctr.config import RunConfig
from mutualctr.data.contract import load_contract
from mutualctr.data.prepare import reference_fingerprint, source_fingerprint
from stack.outcome import present_finetune
from stack.pipeline import DEFAULT_CONFIG, ConfiguredPipeline
from stack.resources import step_options
from steps.control_finetune import control_finetune
from steps.encode import encode
from steps.evaluate import evaluate
from steps.ingest import ingest
from steps.mutual_finetune import mutual_finetune
from steps.pretrain import pretrain
from steps.pretrain_together import pretrain_together
from steps.promote import promote
from steps.register import register
from steps.split import split
from steps.validate import validate


def wire(
    data: dict[str, Any],
    split_rows: dict[str, Any],
    features: dict[str, Any],
    network: dict[str, Any],
    peers: list[dict[str, Any]],
    groups: int,
    optimizer: dict[str, Any],
    pretraining: dict[str, Any],
    finetuning: dict[str, Any],
    snapshots: dict[str, Any],
    registry: dict[str, Any],
    promotion: dict[str, Any],
    resources: dict[str, Any] | None = None,
) -> None:
    """Which step feeds which; the parameters are the sections of RunConfig."""
    whole = RunConfig.model_validate(locals())
    config = whole.model_copy(update={"resources": None})  # what follows does not depend on it
    where = whole.resources
    pretrain_there = step_options(where and where.pretraining)
    finetune_there = step_options(where and where.finetuning)
    contract = load_contract(config.data.contract)
    cohorts = groups_of(config)

    events = ingest(config.data, contract, source_fingerprint(config.data))
    validation = validate(events, contract, config.data, reference_fingerprint(config.data))
    parts = split(events, validation, contract, config.split_rows)
    blocks = encode(events, parts, contract, config.data.feature_set, config.features)

    how = (
        config.network,
        config.optimizer,
        config.pretraining.of_a_peer(),
        config.snapshots,
    )
    suffixes = [f"_g{group}" if config.groups > 1 else "" for group in range(config.groups)]
    pretrained_of: list[list[Any]] = []
    for cohort, suffix in zip(cohorts, suffixes, strict=True):
        if config.pretraining.together:
            one_pass = pretrain_together.with_options(**pretrain_there)
            specs = [peer.spec for peer in cohort]
            pretrained_of.append([one_pass(blocks, specs, *how, id=f"pretrain_together{suffix}")])
            continue
        alone = pretrain.with_options(**pretrain_there)
        names = [f"pretrain_{peer.name.replace('-', '_')}" for peer in cohort]
        pretrained_of.append(
            [
                alone(blocks, peer.spec, *how, id=name)
                for peer, name in zip(cohort, names, strict=True)
            ]
        )
    arms: dict[str, list[Any]] = {"mutual": [], "control": []}
    for arm, finetune in (("mutual", mutual_finetune), ("control", control_finetune)):
        for chosen, cohort, suffix in zip(pretrained_of, cohorts, suffixes, strict=True):
            arms[arm].append(
                finetune.with_options(**finetune_there)(
                    blocks,
                    chosen,
                    cohort,
                    config.optimizer,
                    config.finetuning,
                    config.snapshots,
                    id=f"{arm}_finetune{suffix}",
                    after=[f"mutual_finetune{suffix}"] if arm == "control" else None,
                )
            )
    everyone = [peer for cohort in cohorts for peer in cohort]
    pretrained = [models for group in pretrained_of for models in group]
    judged = (pretrained, arms["control"], arms["mutual"], everyone)
    report = evaluate(events, parts, blocks, *judged, contract, config)
    versions = register(report, validation, blocks, *judged, config)
    data = (events, parts, blocks, validation)
    promote(*data, report, versions, arms["mutual"], everyone, contract, config)


dml_finetune = ConfiguredPipeline("dml_finetune", wire, RunConfig, DEFAULT_CONFIG, present_finetune)
