"""The dense layers every architecture shares. B rows, X input width, H last hidden width."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.precision import product_dtype


def linear(in_width: int, out_width: int, *, bias: bool) -> nn.Linear:
    """A linear layer with Xavier-normal weight and zero bias, the start FuxiCTR uses."""
    layer = nn.Linear(in_width, out_width, bias=bias)
    nn.init.xavier_normal_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class MLP(nn.Module):
    """Hidden layers x ← dropout(relu(W x + b)), one per entry of `hidden`; no output layer.

    The products run in `product_dtype` over weights that keep theirs; the result has the dtype
    of the weights. Raises ValueError where `hidden` is empty.
    """

    def __init__(self, in_width: int, hidden: Sequence[int], dropout: float):
        super().__init__()
        if not hidden:
            raise ValueError("hidden is empty; give the width of at least one hidden layer.")
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [linear(in_width, width, bias=True), nn.ReLU(), nn.Dropout(dropout)]
            in_width = width
        self.layers = nn.Sequential(*layers)
        self.out_width = in_width

    def forward(self, x_BX: Tensor) -> Tensor:
        """Return hidden_BH."""
        dtype = self.layers[0].weight.dtype
        for place in range(0, len(self.layers), 3):
            dense, dropout = self.layers[place], self.layers[place + 2]
            x_BX = dropout(_DenseRelu.apply(x_BX, dense.weight, dense.bias))
        return x_BX.to(dtype)


class _DenseRelu(torch.autograd.Function):
    """relu(x Wᵀ + b) in place over the product: what backward needs is the result itself.

    The derivative of relu at 0 is 0, as in torch.
    """

    @staticmethod
    def forward(ctx, x_BX: Tensor, weight_YX: Tensor, bias_Y: Tensor) -> Tensor:
        dtype = product_dtype(weight_YX)
        x, weight, bias = x_BX.to(dtype), weight_YX.to(dtype), bias_Y.to(dtype)
        y_BY = F.linear(x, weight, bias).relu_()
        ctx.save_for_backward(x, weight, y_BY)
        ctx.dtypes = x_BX.dtype, weight_YX.dtype
        return y_BY

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_BY: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x_BX, weight_YX, y_BY = ctx.saved_tensors
        x_dtype, weight_dtype = ctx.dtypes
        grad_BY = torch.ops.aten.threshold_backward(grad_BY.to(y_BY.dtype), y_BY, 0)
        grad_weight_YX = (grad_BY.t() @ x_BX).to(weight_dtype)
        # Summed in float32 inside; asking sum for another dtype would be ten times slower.
        grad_bias_Y = grad_BY.sum(dim=0).to(weight_dtype)
        return (grad_BY @ weight_YX).to(x_dtype), grad_weight_YX, grad_bias_Y
