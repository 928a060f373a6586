"""Wide & Deep: a logistic regression beside an MLP.

    logit = b + Σ_i w_i + MLP(z),   z = [v_1, …, v_F]

Source: Cheng et al., "Wide & Deep Learning for Recommender Systems" (arXiv 1606.07792), eq. 3;
FuxiCTR model_zoo/WideDeep.
Deviations: the wide part has no hand-made crosses of fields, as in FuxiCTR and DeepCTR; both parts
share one optimizer, where the paper trains the wide one with FTRL.

B rows, F fields, D embedding dim, E = D + 1.
"""

from collections.abc import Sequence

from torch import Tensor

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear


class WideDeep(ClickModel):
    """First order + deep part; it has no options of its own."""

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: Sequence[int],
        dropout: float,
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=True)
        self.mlp = MLP(num_fields * embedding_dim, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        emb_BFD, first_BF = rows
        deep_B = self.head(self.mlp(emb_BFD.flatten(1))).squeeze(1)
        return self.bias + first_BF.sum(dim=1) + deep_B
