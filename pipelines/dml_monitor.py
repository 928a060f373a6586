"""Monitoring: what was scored, beside the clicks that came since, day by day."""

from typing import Any

from mutualctr.data.contract_file import load_contract
from mutualctr.data.prepare import reference_fingerprint, source_fingerprint
from mutualctr.monitoring.config import MonitorConfig
from stack.alarmed import answer_alarms
from stack.outcome import present_monitoring
from stack.pipeline import ROOT, ConfiguredPipeline
from stack.retraining import check_retraining
from steps.ingest import ingest
from steps.monitor import monitor
from steps.validate import validate


def wire(data: dict[str, Any], model: str, score_runs: int, alarms: dict[str, Any]) -> None:
    """Which step feeds which; the parameters are the sections of MonitorConfig."""
    config = MonitorConfig.model_validate(locals())
    check_retraining(config.alarms.retrain)
    contract = load_contract(config.data.contract)
    events = ingest(config.data, contract, source_fingerprint(config.data))
    validation = validate(events, contract, config.data, reference_fingerprint(config.data))
    monitor(events, validation, contract, config)


dml_monitor = ConfiguredPipeline(
    "dml_monitor",
    wire,
    MonitorConfig,
    ROOT / "configs" / "monitor.yaml",
    present_monitoring,
    answer_alarms,
)
