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

    @property
    def first(self) -> nn.Linear:
        """The first layer's weights, for whoever computes its relu(W x + b) otherwise."""
        return self.layers[0]

    def forward(self, x_BX: Tensor) -> Tensor:
        """Return hidden_BH."""
        return self.after_first(_DenseRelu.apply(x_BX, self.first.weight, self.first.bias))

    def after_first(self, x_BX: Tensor) -> Tensor:
        """Return hidden_BH from relu(W x + b) of the first layer."""
        x_BX = self.layers[2](x_BX)
        for place in range(3, len(self.layers), 3):
            dense, dropout = self.layers[place], self.layers[place + 2]
            x_BX = dropout(_DenseRelu.apply(x_BX, dense.weight, dense.bias))
        return x_BX.to(self.first.weight.dtype)


def before_relu(grad_BY: Tensor, x_BX: Tensor, y_BY: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of y = relu(x Wᵀ + b): the gradients of what relu was given, of W and of b, in y's dtype.

    The derivative of relu at 0 is 0, as in torch.
    """
    grad_BY = torch.ops.aten.threshold_backward(grad_BY.to(y_BY.dtype), y_BY, 0)
    # Summed in float32 inside; asking sum for another dtype would be ten times slower.
    return grad_BY, grad_BY.t() @ x_BX, grad_BY.sum(dim=0)


class _DenseRelu(torch.autograd.Function):
    """relu(x Wᵀ + b) in place over the product: what backward needs is the result itself."""

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
        grad_BY, grad_weight_YX, grad_bias_Y = before_relu(grad_BY, x_BX, y_BY)
        grad_x_BX = (grad_BY @ weight_YX).to(x_dtype)
        return grad_x_BX, grad_weight_YX.to(weight_dtype), grad_bias_Y.to(weight_dtype)
