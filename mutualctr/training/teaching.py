"""What pulls a peer besides the labels: the arms of a study differ in this and in nothing else.

    L_n = BCE(y, p_n) + w · pull_n

B rows, N peers, T teachers (the pretrained peers, frozen, in the order of the cohort). A pull
returns one loss per peer. `teacher_logit_TB` are the teachers' logits on the same rows.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutualctr.training.losses import Space, mse, mutual_term


class Pull(Protocol):
    """Something with a loss per peer; its own parameters, if any, learn with the peers."""

    def __call__(self, logit_NB: Tensor, teacher_logit_TB: Tensor | None) -> Tensor: ...

    def parameters(self) -> list[nn.Parameter]:
        """What must learn beside the peers."""
        ...


class Mutual:
    """The paper's eq. 3: towards the other peers as they are in this step (`mutual_term`)."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def __call__(self, logit_NB: Tensor, teacher_logit_TB: Tensor | None) -> Tensor:
        return mutual_term(logit_NB, self._space)[0]

    def parameters(self) -> list[nn.Parameter]:
        return []


class FrozenEnsemble:
    """Towards the mean probability of the frozen pretrained peers; one way, never moving."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def __call__(self, logit_NB: Tensor, teacher_logit_TB: Tensor | None) -> Tensor:
        value_TB = teacher_logit_TB if self._space == "logit" else teacher_logit_TB.sigmoid()
        return towards(logit_NB, value_TB.mean(dim=0), self._space)

    def parameters(self) -> list[nn.Parameter]:
        return []


class Myself:
    """Towards the peer's own pretrained self: what standing still would be worth."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def __call__(self, logit_NB: Tensor, teacher_logit_TB: Tensor | None) -> Tensor:
        value_TB = teacher_logit_TB if self._space == "logit" else teacher_logit_TB.sigmoid()
        return towards(logit_NB, value_TB, self._space)

    def parameters(self) -> list[nn.Parameter]:
        return []


class Teacher:
    """Classic distillation: τ² · BCE(σ(z_T/τ), σ(z_n/τ)) with one teacher.

    Source: Hinton, Vinyals and Dean (arXiv 1503.02531), section 2; τ² keeps the gradient's size
    when τ changes. Deviations: the teacher is the pretrained peer that is best on dev, not a
    larger network, because the paper's point is that CTR models are equals; the weights are 1 and
    w instead of 1 − α and α, which differ by a factor that Adam does not see.
    The distillation of DICN (Guan, Qian and He, Knowledge-Based Systems 275, 2023) is this with the
    cohort's DICN as the teacher and its other peers as what it is compressed into: the
    mutual-finetuning paper calls it "the conventional knowledge distillation framework", and no
    more of it is public. Deviation: the students come pretrained, as in every arm here.
    """

    def __init__(self, chosen: int, temperature: float) -> None:
        self._chosen = chosen
        self._temperature = temperature

    def __call__(self, logit_NB: Tensor, teacher_logit_TB: Tensor | None) -> Tensor:
        return soft_targets(logit_NB, teacher_logit_TB[self._chosen], self._temperature)

    def parameters(self) -> list[nn.Parameter]:
        return []


class Gated:
    """A learned mixture of teachers: Σ_t α_tb · τ² · BCE(σ(z_t/τ), σ(z_n/τ)).

    α_b = softmax over t of (W_n z_b + c_n), z_b the T teacher logits of row b; one gate per peer,
    starting at equal shares and learning with the peer.

    Source: Zhu et al., "Ensembled CTR Prediction via Knowledge Distillation" (arXiv 2011.04106),
    the gating network and soft-label loss. Deviations: their students start from random weights,
    ours from the pretrained peers; their early stopping by distillation loss has no place in one
    epoch; the hint loss, which they found weaker, is left out.
    """

    def __init__(self, peers: int, teachers: int, temperature: float) -> None:
        self.weight = nn.Parameter(torch.zeros(peers, teachers, teachers))
        self.bias = nn.Parameter(torch.zeros(peers, teachers, 1))
        self._temperature = temperature

    def __call__(self, logit_NB: Tensor, teacher_logit_TB: Tensor | None) -> Tensor:
        share_NTB = (self.weight @ teacher_logit_TB + self.bias).softmax(dim=1)
        tau = self._temperature
        losses_NTB = F.binary_cross_entropy_with_logits(
            (logit_NB / tau).unsqueeze(1).expand_as(share_NTB),
            (teacher_logit_TB / tau).sigmoid().expand_as(share_NTB),
            reduction="none",
        )
        return tau**2 * (share_NTB * losses_NTB).sum(dim=1).mean(dim=-1)

    def parameters(self) -> list[nn.Parameter]:
        return [self.weight, self.bias]


def towards(logit_NB: Tensor, target: Tensor, space: Space) -> Tensor:
    """Distance to a constant target [B] or [N, B]: a logit where space is logit, else a
    probability. Squared distance, or cross-entropy for soft_bce."""
    target_NB = target.detach().expand_as(logit_NB)
    if space == "soft_bce":
        losses_NB = F.binary_cross_entropy_with_logits(logit_NB, target_NB, reduction="none")
        return losses_NB.mean(dim=-1)
    return mse(logit_NB if space == "logit" else logit_NB.sigmoid(), target_NB)


def soft_targets(logit_NB: Tensor, teacher_logit_B: Tensor, temperature: float) -> Tensor:
    """τ² · BCE(σ(z_T/τ), σ(z_n/τ)), the mean over rows, one loss per peer."""
    target_B = (teacher_logit_B / temperature).sigmoid()
    return temperature**2 * towards(logit_NB / temperature, target_B, "soft_bce")
