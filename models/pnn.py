"""PNN: an MLP that also sees products of the embeddings.

    logit = MLP([z, p]),   z = [v_1, …, v_F]
    inner:  p = (⟨v_i, v_j⟩)_{i<j}                  F(F−1)/2 numbers
    outer:  P = (Σ_i v_i)(Σ_i v_i)ᵀ, p = (P_de)_{d≤e}   D(D+1)/2 numbers

Source: Qu et al., "Product-based Neural Networks for User Response Prediction" (arXiv
1611.00144), the inner form (IPNN) and the sum-pooled outer form (OPNN); FuxiCTR model_zoo/PNN,
which has the inner form only.

Deviations: z and p meet in the first layer, as in the authors' code and FuxiCTR, which concatenate
them. The PNN paper adds their two linear images, the same function: [z, p] W = z W_z + p W_p.
Its constant signal "1" is the first layer's bias, and its rank-one factors of W_p, a saving for
wide layers, are left out. The inner form skips i = j, as FuxiCTR does. In the outer form P is
symmetric, so its upper triangle says everything.
Our choice: `inner`; the mutual-finetuning paper does not say which. For `outer` we take the PNN
paper's sum pooling and not the kernel form v_iᵀ W_ij v_j of the authors' later code, whose
F(F−1)/2 matrices are FiBiNET's bilinear idea over again.

B rows, F fields, D embedding dim.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import MLP, linear
from models.pairs import pair_indices
from models.precision import product_dtype


class PNN(ClickModel):
    """Embeddings and their products, concatenated, into the MLP.

    Raises ValueError where `product` is neither inner nor outer.
    """

    def __init__(
        self,
        *,
        num_ids: int,
        num_fields: int,
        embedding_dim: int,
        hidden: Sequence[int],
        dropout: float,
        product: Literal["inner", "outer"] = "inner",
    ):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=False)
        if product == "inner":
            self.product = InnerProduct(num_fields)
        elif product == "outer":
            self.product = OuterProduct(embedding_dim)
        else:
            raise ValueError(f"product is {product!r}; PNN knows 'inner' and 'outer'.")
        width = num_fields * embedding_dim + self.product.width
        self.mlp = MLP(width, hidden, dropout)
        self.head = linear(hidden[-1], 1, bias=False)

    def interact(self, rows: Gathered) -> Tensor:
        emb_BFD = rows.emb_BFD.to(product_dtype(self.mlp.first.weight))
        hidden_BH = self.mlp(emb_BFD.flatten(1), self.product(emb_BFD))
        return self.bias + self.head(hidden_BH).squeeze(1)


class InnerProduct(nn.Module):
    """⟨v_i, v_j⟩ for all i < j: emb_BFD → [B, F(F−1)/2]."""

    def __init__(self, num_fields: int):
        super().__init__()
        self.width = len(pair_indices(num_fields)[0])

    def forward(self, emb_BFD: Tensor) -> Tensor:
        return _InnerProducts.apply(emb_BFD)


class _InnerProducts(torch.autograd.Function):
    """The rows of the upper triangle of the Gram matrix V Vᵀ, one after the other.

    The whole Gram matrix costs twice the products but twenty times less than gathering two
    embeddings per pair, and row i of the triangle is the slice i+1 … F−1, so nothing is indexed.
    With U the gradient laid into the upper triangle, the gradient of V is U V + Uᵀ V: two thin
    products cost a third of filling the lower triangle too, which is written column by column.
    """

    @staticmethod
    def forward(ctx, emb_BFD: Tensor) -> Tensor:
        ctx.save_for_backward(emb_BFD)
        gram_BFF = torch.bmm(emb_BFD, emb_BFD.transpose(1, 2))
        return torch.cat([gram_BFF[:, i, i + 1 :] for i in range(gram_BFF.shape[1])], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_BP: Tensor) -> Tensor:
        (emb_BFD,) = ctx.saved_tensors
        fields, start = emb_BFD.shape[1], 0
        upper_BFF = grad_BP.new_zeros(len(grad_BP), fields, fields)
        for i in range(fields - 1):
            upper_BFF[:, i, i + 1 :] = grad_BP[:, start : start + fields - 1 - i]
            start += fields - 1 - i
        return torch.bmm(upper_BFF, emb_BFD).baddbmm_(upper_BFF.transpose(1, 2), emb_BFD)


class OuterProduct(nn.Module):
    """The upper triangle, diagonal included, of (Σ v_i)(Σ v_i)ᵀ: emb_BFD → [B, D(D+1)/2]."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        row_Q, column_Q = torch.triu_indices(embedding_dim, embedding_dim)
        self.width = len(row_Q)
        self.register_buffer("row_Q", row_Q, persistent=False)
        self.register_buffer("column_Q", column_Q, persistent=False)

    def forward(self, emb_BFD: Tensor) -> Tensor:
        pooled_BD = emb_BFD.sum(dim=1)
        return pooled_BD.index_select(1, self.row_Q) * pooled_BD.index_select(1, self.column_Q)
