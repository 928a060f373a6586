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

    def forward(self, *parts_BX: Tensor) -> Tensor:
        """hidden_BH of [x_1, x_2, …]; several parts are never laid side by side in memory."""
        return self.after_first(_DenseRelu.apply(self.first.weight, self.first.bias, *parts_BX))

    def after_first(self, x_BX: Tensor) -> Tensor:
        """Return hidden_BH from relu(W x + b) of the first layer."""
        x_BX = self.layers[2](x_BX)
        for place in range(3, len(self.layers), 3):
            dense, dropout = self.layers[place], self.layers[place + 2]
            x_BX = dropout(_DenseRelu.apply(dense.weight, dense.bias, x_BX))
        return x_BX.to(self.first.weight.dtype)


def before_relu(grad_BY: Tensor, y_BY: Tensor, *parts_BX: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of y = relu(x Wᵀ + b): the gradients of what relu was given, of W and of b, in y's dtype.

    x may come in parts that stand side by side. The derivative of relu at 0 is 0, as in torch.
    """
    grad_BY = torch.ops.aten.threshold_backward(grad_BY.to(y_BY.dtype), y_BY, 0)
    grads_YX = [grad_BY.t() @ part_BX for part_BX in parts_BX]
    grad_weight_YX = grads_YX[0] if len(grads_YX) == 1 else torch.cat(grads_YX, dim=1)
    # Summed in float32 inside; asking sum for another dtype would be ten times slower.
    return grad_BY, grad_weight_YX, grad_BY.sum(dim=0)


class _DenseRelu(torch.autograd.Function):
    """relu(x Wᵀ + b), x in parts, in place over the product: backward needs the result itself."""

    @staticmethod
    def forward(ctx, weight_YX: Tensor, bias_Y: Tensor, *parts_BX: Tensor) -> Tensor:
        dtype = product_dtype(weight_YX)
        ctx.dtypes = weight_YX.dtype, [part_BX.dtype for part_BX in parts_BX]
        parts = [part_BX.to(dtype) for part_BX in parts_BX]
        weight = weight_YX.to(dtype)
        first, *others = zip(parts, _split(weight, parts), strict=True)
        y_BY = F.linear(*first, bias_Y.to(dtype))
        for part, of_part in others:
            y_BY.addmm_(part, of_part.t())
        y_BY.relu_()
        ctx.save_for_backward(weight, y_BY, *parts)
        return y_BY

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_BY: Tensor) -> tuple[Tensor, ...]:
        weight_YX, y_BY, *parts_BX = ctx.saved_tensors
        dtype, dtypes = ctx.dtypes
        grad_BY, grad_weight_YX, grad_bias_Y = before_relu(grad_BY, y_BY, *parts_BX)
        grad_parts = [
            (grad_BY @ of_part).to(part_dtype)
            for of_part, part_dtype in zip(_split(weight_YX, parts_BX), dtypes, strict=True)
        ]
        return grad_weight_YX.to(dtype), grad_bias_Y.to(dtype), *grad_parts


def _split(weight_YX: Tensor, parts_BX: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The columns of the weight that belong to each part."""
    return weight_YX.split([part_BX.shape[1] for part_BX in parts_BX], dim=1)
