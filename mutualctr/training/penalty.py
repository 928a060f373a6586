"""L2: ½·λ·‖W‖² beside the mean cross-entropy. What "1e-5" means is decided here and nowhere else.

Six libraries mean six things by the same number (docs/DECISIONS.md). Ours is FuxiCTR's: the
gradient of a weight is λ·w per step, whatever the batch size.
"""

import torch

from models.base import ClickModel


def l2_penalty(model: ClickModel, l2_embedding: float, l2_mlp: float) -> torch.Tensor:
    """½·λ_emb·‖table‖² + ½·λ_mlp·Σ‖W‖², W over the dense weight matrices, biases excepted.

    The optimiser never evaluates this; it adds the gradient λ·w in its update (`optimizer.py`),
    which a test holds against autograd of this very function.
    """
    dense = sum(weight.square().sum() for weight in model.dense_weights())
    return 0.5 * l2_embedding * model.table.square().sum() + 0.5 * l2_mlp * dense
