"""Which two fields make a pair, fixed when a model is built so that shapes stay static."""

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
