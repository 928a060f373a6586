"""Which two fields make a pair, fixed when a model is built so that shapes stay static.

B rows, F fields, D embedding dim, P pairs, R right fields of one left field.
"""

import torch
from torch import Tensor


def pair_indices(num_fields: int) -> tuple[Tensor, Tensor]:
    """left_P and right_P of all pairs i < j in row-major order: 01 02 … 12 13 …

    Every pair (i, ·) stands together, and within them j runs over i+1 … F−1.
    Raises ValueError below two fields.
    """
    if num_fields < 2:
        raise ValueError(f"num_fields is {num_fields}; a pair needs at least two fields.")
    left_P, right_P = torch.triu_indices(num_fields, num_fields, offset=1)
    return left_P, right_P


def traced_bilinear_pairs(emb_BFD: Tensor, weight_PDD: Tensor) -> Tensor:
    """(v_i W_ij) ⊙ v_j for all pairs i < j → [B, P·D], of plain operators with any B.

    What models/bilinear.py computes with a backward of its own, in the form torch.export can read.
    """
    fields = emb_BFD.shape[1]
    left_fields = weight_PDD.split(list(range(fields - 1, 0, -1)))
    products = []
    for i, weight_RDD in enumerate(left_fields):
        moved_BRD = torch.einsum("bd,rde->bre", emb_BFD[:, i], weight_RDD)
        products.append(moved_BRD * emb_BFD[:, i + 1 :])
    return torch.cat(products, dim=1).flatten(1)
