"""What a click model is to everybody else.

B rows of a batch, F fields, D embedding dim, E = D (+ 1 with first order), V vocabulary rows.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from models.embedding import FieldEmbedding, Gathered


class ClickModel(nn.Module, ABC):
    """ids_BF → logit_B, in two halves: gather rows of the only table, then let them interact.

    A training engine that gathers rows itself calls `interact` alone; `forward` is the two
    together. Nothing outside the table is sparse, and no id reaches `interact`.

    `bias` is the one additive constant of the logit. Sources write it as w₀ (FM, FiBiNET) or as
    the output layer's b (DeepFM, PNN); FuxiCTR's DeepFM carries both, which only doubles the step
    an optimizer takes along it. Here output layers have no bias of their own.
    """

    def __init__(self, *, num_ids: int, embedding_dim: int, first_order: bool):
        super().__init__()
        self.embedding = FieldEmbedding(num_ids, embedding_dim, first_order)
        self.bias = nn.Parameter(torch.zeros(1))

    @abstractmethod
    def interact(self, rows: Gathered) -> Tensor:
        """logit_B from the gathered table rows."""

    def learn(self, rows: Gathered) -> tuple[Tensor, Tensor | None]:
        """A step of training: logit_B as `interact` gives it, and what the model itself adds to
        the loss (a mean over the batch), or None. Draws nothing: it is a function of the rows.
        """
        return self.interact(rows), None

    def forward(self, ids_BF: Tensor) -> Tensor:
        """logit_B from ids already shifted into the one table."""
        return self.interact(self.embedding(ids_BF))

    @property
    def table(self) -> nn.Parameter:
        """The one table [V, E], first-order column included; it carries the embedding L2."""
        return self.embedding.weight

    def dense_parameters(self) -> list[nn.Parameter]:
        """Everything but the table."""
        return [parameter for parameter in self.parameters() if parameter is not self.table]

    def dense_weights(self) -> list[nn.Parameter]:
        """What carries the MLP L2: linear, cross, bilinear, SENET weights, but no bias or slope.

        House rule: a weight has two dimensions or more, a bias or a PReLU's slope has one.
        """
        return [parameter for parameter in self.dense_parameters() if parameter.ndim >= 2]
