"""Batch scoring: a source that keeps the contract → a probability for each of its rows."""

from typing import Any

from mutualctr.config import ScoreConfig
from mutualctr.data.contract_file import load_contract
from mutualctr.data.prepare import reference_fingerprint, source_fingerprint
from stack.outcome import present_scores
from stack.pipeline import ROOT, ConfiguredPipeline
from steps.ingest import ingest
from steps.score import score
from steps.validate import validate


def wire(data: dict[str, Any], labelled: bool, model: str) -> None:
    """Which step feeds which; the parameters are the sections of ScoreConfig."""
    config = ScoreConfig.model_validate(locals())
    contract = load_contract(config.data.contract)
    if not config.labelled:
        contract = contract.without_label()
    events = ingest(config.data, contract, source_fingerprint(config.data))
    validation = validate(events, contract, config.data, reference_fingerprint(config.data))
    score(events, validation, contract, config.model)


dml_score = ConfiguredPipeline(
    "dml_score", wire, ScoreConfig, ROOT / "configs" / "score" / "generated.yaml", present_scores
)
