"""FiBiNET's bilinear interaction p_ij = (v_i W) ⊙ v_j for all pairs i < j, and the layer above it.

B rows, F fields, D embedding dim, P pairs = F(F−1)/2, R right fields of one left field,
S paths, X = S·P·D, Y width of the layer.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.mlp import before_relu
from models.pairs import pair_indices, traced_bilinear_pairs
from models.precision import product_dtype


class Bilinear(nn.Module):
    """The matrices W of one path; the pairs are in the order of `pair_indices`.

    The options differ only in which pairs share a matrix W:
    `all`: one for every pair; `each`: one per left field; `interaction`: one per pair.

    Source: Huang et al. (arXiv 1905.09433), the bilinear-interaction layer; FuxiCTR
    BilinearInteractionV2, whose order of pairs this is.
    Deviations: each W starts Xavier-normal as the D × D matrix it is, std D^−½ (.25 at D = 16);
    FuxiCTR hands the stack [P, D, D] to the initialiser, whose fan then counts P, and starts at
    .013 for 39 fields. Under `each` there are F − 1 matrices and not F, since the last field is
    never a left one. Raises ValueError for any other option.
    """

    def __init__(
        self,
        num_fields: int,
        embedding_dim: int,
        sharing: Literal["all", "each", "interaction"],
    ):
        super().__init__()
        left_P, _ = pair_indices(num_fields)
        if sharing == "all":
            matrix_P = torch.zeros_like(left_P)
        elif sharing == "each":
            matrix_P = left_P
        elif sharing == "interaction":
            matrix_P = torch.arange(len(left_P))
        else:
            raise ValueError(
                f"bilinear is {sharing!r}; FiBiNET knows 'all', 'each' and 'interaction'."
            )
        self.register_buffer("matrix_P", matrix_P, persistent=False)
        num_matrices = int(matrix_P[-1]) + 1
        self.weight = nn.Parameter(torch.empty(num_matrices, embedding_dim, embedding_dim))
        nn.init.normal_(self.weight, std=embedding_dim**-0.5)

    def matrix_of_pair(self) -> Tensor:
        """weight_PDD: each pair's W, whoever shares it."""
        return self.weight.index_select(0, self.matrix_P)


def hidden_of_pairs(dense: nn.Linear, *paths: tuple[Tensor, Bilinear]) -> Tensor:
    """relu(W x + b) [B, Y], x [B, X] the pairs of each (emb_BFD, Bilinear) side by side.

    Runs in `product_dtype`, as models/mlp.py does. One function for pairs and layer, because the
    gradient of 24 thousand numbers a row is then never written as a whole.
    """
    inputs = [tensor for emb_BFD, layer in paths for tensor in (emb_BFD, layer.matrix_of_pair())]
    if torch.compiler.is_exporting():  # a Function of our own is no operator of ONNX
        pairs = zip(inputs[::2], inputs[1::2], strict=True)
        x_BX = torch.cat([traced_bilinear_pairs(emb, weight) for emb, weight in pairs], dim=1)
        return dense(x_BX).relu()
    return _HiddenOfPairs.apply(dense.weight, dense.bias, *inputs)


class _HiddenOfPairs(torch.autograd.Function):
    """p_ij = (v_i W_ij) ⊙ v_j with the pairs of one left field in one matrix product.

    Inputs: the layer's weight and bias; emb_BFD and weight_PDD of the first path, of the second, …
    The right fields of a left field i are the slice v_{i+1}, …, v_{F−1}, so nothing is gathered.
    Backward makes again what is cheap (D multiplications per number) and would fill [B, P, D] per
    path: v_i W_ij, and the gradient of the pairs, whose part of one left field is used up while it
    lies in the cache. The naive loop it must equal is in tests/models/test_bilinear.py.
    """

    @staticmethod
    def forward(ctx, weight_YX: Tensor, bias_Y: Tensor, *inputs: Tensor) -> Tensor:
        dtype = product_dtype(inputs[0])
        ctx.dtype = inputs[0].dtype
        weight_YX, bias_Y, *kept = (tensor.to(dtype) for tensor in (weight_YX, bias_Y, *inputs))
        emb_BFD, weight_PDD = kept[:2]
        batch, fields, dim = emb_BFD.shape
        pairs_BSPD = emb_BFD.new_empty(batch, len(kept) // 2, len(weight_PDD), dim)
        for path in range(len(kept) // 2):
            emb_BFD, weight_PDD = kept[2 * path : 2 * path + 2]
            for i, span in enumerate(_spans(fields)):
                moved_BRD = _moved(emb_BFD[:, i], weight_PDD[span])
                torch.mul(moved_BRD, emb_BFD[:, i + 1 :], out=pairs_BSPD[:, path, span])
        x_BX = pairs_BSPD.flatten(1)
        y_BY = F.linear(x_BX, weight_YX, bias_Y).relu_()
        ctx.save_for_backward(x_BX, weight_YX, y_BY, *kept)
        return y_BY

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_BY: Tensor) -> tuple[Tensor, ...]:
        x_BX, weight_YX, y_BY, *kept = ctx.saved_tensors
        grad_BY, grad_weight_YX, grad_bias_Y = before_relu(grad_BY, y_BY, x_BX)
        batch, fields, dim = kept[0].shape
        weight_YSPD = weight_YX.view(len(weight_YX), len(kept) // 2, -1, dim)
        gradients = [grad_weight_YX.to(ctx.dtype), grad_bias_Y.to(ctx.dtype)]
        for path in range(len(kept) // 2):
            emb_BFD, weight_PDD = kept[2 * path : 2 * path + 2]
            # Sums over up to F − 1 pairs, so not in the short dtype.
            grad_emb_BFD = torch.zeros_like(emb_BFD, dtype=ctx.dtype)
            grad_weight_PDD = torch.empty_like(weight_PDD, dtype=ctx.dtype)
            for i, span in enumerate(_spans(fields)):
                left_BD, weight_RDD = emb_BFD[:, i], weight_PDD[span]
                grad_BRD = grad_BY @ weight_YSPD[:, path, span].flatten(1)
                grad_BRD = grad_BRD.view(batch, -1, dim)
                grad_emb_BFD[:, i + 1 :] += _moved(left_BD, weight_RDD).mul_(grad_BRD)
                grad_moved = grad_BRD.mul_(emb_BFD[:, i + 1 :]).flatten(1)
                grad_emb_BFD[:, i] += grad_moved @ _side_by_side(weight_RDD).t()
                grad_weight = left_BD.t() @ grad_moved
                grad_weight_PDD[span] = grad_weight.view(dim, -1, dim).transpose(0, 1)
            gradients += [grad_emb_BFD, grad_weight_PDD]
        return tuple(gradients)


def _spans(num_fields: int) -> list[slice]:
    """For each left field i the places of its pairs (i, i+1), …, (i, F−1)."""
    spans, start = [], 0
    for right_fields in range(num_fields - 1, 0, -1):
        spans.append(slice(start, start + right_fields))
        start += right_fields
    return spans


def _moved(left_BD: Tensor, weight_RDD: Tensor) -> Tensor:
    """v_i W_ij for the R right fields of one left field [B, R, D], as one matrix product."""
    return (left_BD @ _side_by_side(weight_RDD)).view(len(left_BD), *weight_RDD.shape[:2])


def _side_by_side(weight_RDD: Tensor) -> Tensor:
    """[R, D, D] → [D, R·D]."""
    return weight_RDD.transpose(0, 1).flatten(1)
