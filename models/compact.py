"""A frozen embedding table in half or a quarter of the bytes.

V vocabulary rows, E columns of the table.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.embedding import FieldEmbedding

Precision = Literal["fp32", "bf16", "int8"]
INT8_MOST = 127


class CompactEmbedding(FieldEmbedding):
    """The table of a trained embedding, rounded; the gathered rows are float32 again.

    bf16    the upper half of each float32
    int8    round(w / s_v), s_v = max_e |w_ve| / 127: one scale a row, so that a rare token with
            small weights keeps as many steps as a frequent one

    It cannot be trained. A row of zeros stays zeros.
    """

    def __init__(self, full: FieldEmbedding, precision: Literal["bf16", "int8"]):
        nn.Module.__init__(self)  # the parent's own would make a float32 table first
        self.embedding_dim, self.first_order = full.embedding_dim, full.first_order
        self.precision = precision
        weight_VE = full.weight.detach()
        if precision == "bf16":
            self.register_buffer("weight", weight_VE.to(torch.bfloat16))
        else:
            scale_V1 = weight_VE.abs().amax(dim=1, keepdim=True) / INT8_MOST
            steps_VE = weight_VE / scale_V1.clamp(min=torch.finfo(torch.float32).tiny)
            self.register_buffer("weight", steps_VE.round().to(torch.int8))
            self.register_buffer("scale", scale_V1)

    def rows(self, ids_BF: Tensor) -> Tensor:
        """rows_BFE of the table as float32."""
        if self.precision == "bf16":
            return F.embedding(ids_BF, self.weight).float()
        ids_BF = ids_BF.long()  # the byte table has no other gather
        return self.weight[ids_BF].float() * self.scale[ids_BF]
