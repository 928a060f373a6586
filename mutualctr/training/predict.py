"""Probabilities of a trained peer over a whole block."""

import numpy as np
import torch

from models.base import ClickModel
from mutualctr.data.blocks import Block

BATCH_ROWS = 4096


def predict(model: ClickModel, block: Block) -> np.ndarray:
    """probability_R float64 of every row, in the block's order, dropout off."""
    return predict_ids(model, block.ids_RF)


@torch.inference_mode()
def predict_ids(model: ClickModel, ids_RF: np.ndarray) -> np.ndarray:
    """probability_R float64 = σ(logit), the sigmoid in double so that close rows stay apart."""
    model.eval()
    logits = [
        model(torch.from_numpy(np.array(ids_RF[start : start + BATCH_ROWS])).to(model.table.device))
        for start in range(0, len(ids_RF), BATCH_ROWS)
    ]
    logit_R = torch.cat(logits) if logits else torch.empty(0)
    return logit_R.double().sigmoid().cpu().numpy()
