"""The tuning pipeline: weight, space and rate of the mutual epoch, chosen on dev."""

from typing import Any

from mutualctr.data.contract_file import load_contract
from mutualctr.data.prepare import reference_fingerprint, source_fingerprint
from mutualctr.study.tune import TuneConfig
from stack.outcome import present_tuning
from stack.pipeline import ROOT, ConfiguredPipeline
from steps.encode import encode
from steps.ingest import ingest
from steps.split import split
from steps.tune import tune
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
    search: dict[str, Any],
) -> None:
    """Which step feeds which; the parameters are the sections of TuneConfig."""
    config = TuneConfig.model_validate(locals())
    contract = load_contract(config.data.contract)
    events = ingest(config.data, contract, source_fingerprint(config.data))
    validation = validate(events, contract, config.data, reference_fingerprint(config.data))
    engine = config.data.engine
    parts = split(events, validation, contract, config.split_rows, engine)
    blocks = encode(events, parts, contract, config.data.feature_set, config.features, engine)
    tune(blocks, config)


dml_tune = ConfiguredPipeline(
    "dml_tune", wire, TuneConfig, ROOT / "configs" / "tune" / "generated.yaml", present_tuning
)
