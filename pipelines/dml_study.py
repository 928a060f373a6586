"""The study pipeline: the paper's tables with the controls it lacks, on any contract."""

from typing import Any

from mutualctr.data.contract_file import load_contract
from mutualctr.data.prepare import reference_fingerprint, source_fingerprint
from mutualctr.study.config import StudyConfig
from stack.outcome import present_study
from stack.pipeline import ROOT, ConfiguredPipeline
from steps.encode import encode
from steps.ingest import ingest
from steps.split import split
from steps.study import study
from steps.validate import validate


def wire(
    data: dict[str, Any],
    split_rows: dict[str, Any],
    features: dict[str, Any],
    network: dict[str, Any],
    optimizer: dict[str, Any],
    pretraining: dict[str, Any],
    groups: int,
    workers: int,
    arms: list[dict[str, Any]],
    cohorts: list[dict[str, Any]],
    hypotheses: list[dict[str, Any]],
) -> None:
    """Which step feeds which; the parameters are the sections of StudyConfig."""
    config = StudyConfig.model_validate(locals())
    contract = load_contract(config.data.contract)
    events = ingest(config.data, contract, source_fingerprint(config.data))
    validation = validate(events, contract, config.data, reference_fingerprint(config.data))
    engine = config.data.engine
    parts = split(events, validation, contract, config.split_rows, engine)
    blocks = encode(events, parts, contract, config.data.feature_set, config.features, engine)
    study(events, parts, blocks, contract, config)


dml_study = ConfiguredPipeline(
    "dml_study", wire, StudyConfig, ROOT / "configs" / "study" / "generated.yaml", present_study
)
