"""Adam for one peer: the dense layers, and the table (table.py)."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Parameter

from models.base import ClickModel
from models.embedding import Gathered
from mutualctr.config import OptimizerConfig
from mutualctr.training.adam import adam_of_many
from mutualctr.training.full_table import FullTable
from mutualctr.training.table import DenseTable, TouchedTable
from mutualctr.training.touched import PaddedTouched, Touched


class PeerOptimizer:
    """Adam over one model; fresh moments at construction.

    A step is: `gather` the batch's rows, run the model on them, backward, `step`. The model's
    table is up to date only after `settle`.
    """

    def __init__(self, model: ClickModel, config: OptimizerConfig) -> None:
        if config.l2_scope == "touched":
            kind = TouchedTable
        else:
            kind = FullTable if model.table.device.type == "cpu" else DenseTable
        self._table = kind(model.embedding, config.l2_embedding)
        self.static_shapes = kind is DenseTable
        """Whether a step can be recorded."""
        decayed = list(model.dense_weights())
        ids = {id(weight) for weight in decayed}
        plain = [p for p in model.dense_parameters() if id(p) not in ids]
        self._dense = [
            _Weights(weights, l2)
            for weights, l2 in ((decayed, config.l2_mlp), (plain, 0.0))
            if weights
        ]

    def gather(self, touched: Touched | PaddedTouched) -> Gathered:
        """The batch's rows as leaves of their own, so that only they get a gradient."""
        emb_BFD, first_BF = self._table.gather(touched)
        return Gathered(
            emb_BFD.requires_grad_(), first_BF if first_BF is None else first_BF.requires_grad_()
        )

    @torch.no_grad()
    def step(self, lr: float | Tensor, touched: Touched | PaddedTouched, rows: Gathered) -> None:
        """One Adam step; `rows` are what `gather` gave, with the gradients that backward left."""
        for weights in self._dense:
            weights.step(lr)
        gradients = [touched.sum_of_rows(part.grad) for part in rows if part is not None]
        self._table.step(lr, touched.row_U, gradients)

    @torch.no_grad()
    def settle(self) -> None:
        """Bring the whole table up to date, for whoever reads it."""
        self._table.settle()

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next step depends on, besides the weights; settles first."""
        self.settle()
        state = {
            "table.first": self._table.first_VE,
            "table.second": self._table.second_VE,
            "steps": torch.tensor(self._table.steps),
        }
        for place, moment in enumerate(self._moments()):
            state[f"dense.{place}"] = moment
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        self.settle()
        self._table.first_VE.copy_(state["table.first"])
        self._table.second_VE.copy_(state["table.second"])
        self._table.steps = int(state["steps"])
        for place, moment in enumerate(self._moments()):
            moment.copy_(state[f"dense.{place}"])

    def _moments(self) -> list[Tensor]:
        """Of the dense layers, in an order that stays, with the numbers of their steps."""
        groups = self._dense
        return [tensor for one in groups for tensor in (*one.firsts, *one.seconds, one.steps)]


class _Weights:
    """Dense weights with one L2, their moments, and how many steps they took.

    The steps of torch.optim.Adam(fused=True), without its bookkeeping for every weight.
    """

    def __init__(self, weights: list[Parameter], l2: float) -> None:
        self._weights, self._l2 = weights, l2
        self.firsts = [torch.zeros_like(weight) for weight in weights]
        self.seconds = [torch.zeros_like(weight) for weight in weights]
        self.steps = torch.zeros((), device=weights[0].device)

    def step(self, lr: float | Tensor) -> None:
        """One step of all of them; their gradients are gone then."""
        self.steps += 1
        gradients = [weight.grad for weight in self._weights]
        assert all(gradient is not None for gradient in gradients), "a weight is in no logit"
        adam_of_many(
            (self._weights, gradients, self.firsts, self.seconds), lr, self.steps, self._l2
        )
        for weight in self._weights:
            weight.grad = None
