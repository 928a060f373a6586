"""The losses of the paper, each one function.

Shapes: B rows, N peers. `logit_NB` holds the peers' logits on the same rows.
"""

from typing import Literal

import torch
import torch.nn.functional as F

Space = Literal["prob", "logit", "soft_bce"]


def bce(label_B: torch.Tensor, logit_B: torch.Tensor) -> torch.Tensor:
    """Mean binary cross-entropy, eq. 2: −(y·log p + (1−y)·log(1−p)), p = σ(logit).

    Works on the last dimension, so logit_NB gives one loss per peer. Computed from logits: the
    paper's formula overflows where p rounds to 0 or 1.
    """
    losses = F.binary_cross_entropy_with_logits(
        logit_B, label_B.to(logit_B.dtype).expand_as(logit_B), reduction="none"
    )
    return losses.mean(dim=-1)


def mse(one_B: torch.Tensor, other_B: torch.Tensor) -> torch.Tensor:
    """Mean squared distance of two predictions, eq. 1: (p₁ − p₂)²."""
    return (one_B - other_B).square().mean(dim=-1)


def mutual_term(logit_NB: torch.Tensor, space: Space) -> tuple[torch.Tensor, torch.Tensor]:
    """What pulls each peer towards the others: the sum of eq. 3, in O(N).

    prob      1/(N−1) · Σ_{i≠n} (p_i − p_n)²        the paper
    logit     the same of logits
    soft_bce  1/(N−1) · Σ_{i≠n} BCE(p_i, p_n)       does not fade where clicks are rare

    Returns (loss_N, pairwise_N). `loss_N` carries the gradient: peers are constants, so the
    distance to their mean without n has the gradient of the pairwise mean. `pairwise_N` is the
    value that the paper's equation prints; for the two squares it is loss_N plus the variance of
    the other peers, for soft_bce the two are equal (it is linear in p_i).

    Peers are detached (Zhang et al. 2017, their code); not detaching doubles the gradient, which
    is weight 2. The update of all peers is simultaneous: everyone sees the same forward pass.
    """
    peers = logit_NB.shape[0]
    assert peers >= 2, "a mutual term needs two peers"
    value_NB = logit_NB if space == "logit" else logit_NB.sigmoid()
    constant_NB = value_NB.detach()
    others_NB = (constant_NB.sum(dim=0) - constant_NB) / (peers - 1)
    if space == "soft_bce":
        loss_N = F.binary_cross_entropy_with_logits(logit_NB, others_NB, reduction="none").mean(
            dim=-1
        )
        return loss_N, loss_N.detach()
    loss_N = mse(value_NB, others_NB)
    square_NB = constant_NB.square()
    others_square_NB = (square_NB.sum(dim=0) - square_NB) / (peers - 1)
    variance_N = (others_square_NB - others_NB.square()).mean(dim=-1)
    return loss_N, loss_N.detach() + variance_N
