"""Adam for one peer: the dense layers, and the table whose gradient lives in a few rows.

A batch touches a small part of the table, so its gradient arrives as (rows, gradient of rows).

l2_scope full     every row of the table takes an Adam step with gradient λ·w, touched or not. The
                  dense gradient is a buffer that is zero except in the touched rows: those are
                  written before the step and zeroed after it, nothing else is built or cleared.
l2_scope touched  only the batch's rows take a step, with their own moments (the meaning of
                  torch.optim.SparseAdam, FBGEMM and TorchRec, plus λ·w on those rows).
"""

from collections.abc import Mapping

import torch

from models.base import ClickModel
from mutualctr.config import OptimizerConfig

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class PeerOptimizer:
    """Adam over one model; fresh moments at construction."""

    def __init__(self, model: ClickModel, config: OptimizerConfig) -> None:
        self._table = model.table
        self._l2_embedding = config.l2_embedding
        self._scope = config.l2_scope
        decayed = list(model.dense_weights())
        ids = {id(weight) for weight in decayed}
        plain = [p for p in model.dense_parameters() if id(p) not in ids]
        groups = [
            {"params": decayed, "weight_decay": config.l2_mlp},
            {"params": plain, "weight_decay": 0.0},
        ]
        self._dense = torch.optim.Adam(
            [g for g in groups if g["params"]], betas=BETAS, eps=EPSILON, fused=True
        )
        self._gradient = torch.zeros_like(self._table) if self._scope == "full" else None
        self._first = torch.zeros_like(self._table)
        self._second = torch.zeros_like(self._table)
        self._steps = torch.zeros((), dtype=torch.float32)

    @torch.no_grad()
    def step(self, lr: float, row_U: torch.Tensor, gradient_UE: torch.Tensor) -> None:
        """One Adam step; `row_U` are the distinct touched rows of the table."""
        for group in self._dense.param_groups:
            group["lr"] = lr
        self._dense.step()
        self._dense.zero_grad(set_to_none=True)
        if self._scope == "full":
            self._gradient.index_copy_(0, row_U, gradient_UE)
            self._adam(lr, self._table, self._gradient, self._first, self._second)
            self._gradient.index_fill_(0, row_U, 0.0)
            return
        table_UE, first_UE, second_UE = (
            tensor.index_select(0, row_U) for tensor in (self._table, self._first, self._second)
        )
        self._adam(lr, table_UE, gradient_UE, first_UE, second_UE)
        self._table.index_copy_(0, row_U, table_UE)
        self._first.index_copy_(0, row_U, first_UE)
        self._second.index_copy_(0, row_U, second_UE)

    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor that the next step depends on, besides the weights."""
        state = {"table.first": self._first, "table.second": self._second, "steps": self._steps}
        for place, moments in self._dense.state_dict()["state"].items():
            state |= {f"dense.{place}.{name}": value for name, value in moments.items()}
        return state

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take up what `state` gave."""
        for name, own in (
            ("table.first", self._first),
            ("table.second", self._second),
            ("steps", self._steps),
        ):
            own.copy_(state[name])
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in state.items():
            room, _, rest = key.partition(".")
            if room == "dense":
                place, _, name = rest.partition(".")
                moments.setdefault(int(place), {})[name] = value
        groups = self._dense.state_dict()["param_groups"]
        self._dense.load_state_dict({"state": moments, "param_groups": groups})

    def _adam(
        self,
        lr: float,
        weight: torch.Tensor,
        gradient: torch.Tensor,
        first: torch.Tensor,
        second: torch.Tensor,
    ) -> None:
        self._steps += 1  # this function runs once per step
        torch._fused_adam_(
            [weight.data],
            [gradient],
            [first],
            [second],
            [],
            [self._steps],
            lr=lr,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=self._l2_embedding,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
