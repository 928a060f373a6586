"""Adam for one peer: the dense layers, and the table (table.py)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.base import ClickModel
from mutualctr.config import OptimizerConfig
from mutualctr.training.table import (
    BETAS,
    EPSILON,
    DenseTable,
    FullTable,
    Places,
    Touched,
    TouchedTable,
)


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
        self._table = kind(model.table, config.l2_embedding)
        decayed = list(model.dense_weights())
        ids = {id(weight) for weight in decayed}
        plain = [p for p in model.dense_parameters() if id(p) not in ids]
        groups = [
            {"params": decayed, "weight_decay": config.l2_mlp},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.static_shapes = kind is DenseTable
        """Whether a step can be recorded: the learning rate lies on the device then, too."""
        rate = {}
        if self.static_shapes:
            rate = {"lr": torch.zeros((), device=model.table.device), "capturable": True}
        groups = [g for g in groups if g["params"]]
        self._dense = torch.optim.Adam(groups, betas=BETAS, eps=EPSILON, fused=True, **rate)

    def gather(self, touched: Touched | Places) -> Tensor:
        """rows_BFE as a leaf of their own, so that only they get a gradient."""
        return self._table.gather(touched).requires_grad_()

    @torch.no_grad()
    def step(self, lr: float | Tensor, row_U: Tensor, gradient_UE: Tensor) -> None:
        """One Adam step; `row_U` and their gradients as `Touched` or `Places` give them."""
        for group in self._dense.param_groups:
            if self.static_shapes:
                group["lr"].copy_(lr) if isinstance(lr, Tensor) else group["lr"].fill_(lr)
            else:
                group["lr"] = lr
        self._dense.step()
        self._dense.zero_grad(set_to_none=True)
        self._table.step(lr, row_U, gradient_UE)

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
        for place, moments in self._dense.state_dict()["state"].items():
            state |= {f"dense.{place}.{name}": value for name, value in moments.items()}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        self.settle()
        self._table.first_VE.copy_(state["table.first"])
        self._table.second_VE.copy_(state["table.second"])
        self._table.steps = int(state["steps"])
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            room, _, rest = key.partition(".")
            if room == "dense":
                place, _, name = rest.partition(".")
                moments.setdefault(int(place), {})[name] = value
        groups = self._dense.state_dict()["param_groups"]
        self._dense.load_state_dict({"state": moments, "param_groups": groups})
