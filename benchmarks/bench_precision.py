"""What bf16 products do to AUC, beside what another seed does: decides `precision: auto`.

    python benchmarks/bench_precision.py [--config configs/criteo_sample.yaml] [--seeds 6]

Pretrains each architecture from the same seeds with fp32 and with bf16 products, on the data and
with the settings of the configuration, and prints the test AUC of the best dev epoch: mean and
standard deviation over seeds, and the mean of the paired differences with its standard error.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from models.registry import build
from mutualctr.config import RunConfig
from mutualctr.data.at_once import blocks_at_once
from mutualctr.data.blocks import open_block
from mutualctr.evaluation.auc import auc
from mutualctr.reference import Blocks
from mutualctr.training import loop
from mutualctr.training.determinism import deterministic
from mutualctr.training.predict import predict

SILENT = loop.Progress(report=lambda rows: None, record=lambda n, point: None)
PRECISIONS = ("fp32", "bf16")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--config", type=Path, default=Path("configs/criteo_sample.yaml"))
    arguments.add_argument("--seeds", type=int, default=6)
    arguments.add_argument("--models", default="deepfm,dcn,pnn,fibinet")
    given = arguments.parse_args()
    content = yaml.safe_load(given.config.read_text(encoding="utf-8"))
    config = RunConfig.model_validate(content["parameters"])
    with tempfile.TemporaryDirectory() as temporary:
        _, blocks = blocks_at_once(config, Path(temporary))
        for architecture in given.models.split(","):
            found = [
                {p: test_auc(config, blocks, architecture, seed, p) for p in PRECISIONS}
                for seed in range(1, given.seeds + 1)
            ]
            print(json.dumps(summary(architecture, found)), flush=True)


def test_auc(
    config: RunConfig, blocks: Blocks, architecture: str, seed: int, precision: str
) -> float:
    """One peer, pretrained as the configuration says."""
    optimizer = config.optimizer.model_copy(update={"precision": precision})
    train, dev, test = (open_block(blocks.folder, part) for part in ("train", "dev", "test"))
    with deterministic():
        torch.manual_seed(seed)
        model = build(
            architecture,
            num_ids=blocks.num_ids,
            num_fields=blocks.num_fields,
            embedding_dim=config.network.embedding_dim,
            hidden=config.network.hidden,
            dropout=config.network.dropout,
        )
        loop.pretrain(model, train, dev, optimizer, config.pretraining, seed, SILENT)
        return auc(test.label_R, predict(model, test))


def summary(architecture: str, found: list[dict[str, float]]) -> dict[str, Any]:
    """Spread over seeds beside the paired difference."""
    auc_PS = {p: np.array([each[p] for each in found]) for p in PRECISIONS}
    difference_S = auc_PS["bf16"] - auc_PS["fp32"]
    return {
        "architecture": architecture,
        "seeds": len(found),
        "mean": {p: round(values.mean(), 5) for p, values in auc_PS.items()},
        "seed_sd": {p: round(values.std(ddof=1), 5) for p, values in auc_PS.items()},
        "bf16_minus_fp32": round(difference_S.mean(), 5),
        "standard_error": round(difference_S.std(ddof=1) / len(found) ** 0.5, 5),
        "each": [{p: round(value, 5) for p, value in each.items()} for each in found],
    }


if __name__ == "__main__":
    main()
