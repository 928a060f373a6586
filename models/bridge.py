"""The bridge of bridge-based distillation: a graph network over the fields of one row.

Nodes are the fields' embeddings v_i; an edge says how much field j matters to field i:

    a_ij = softmax over j ≠ i of (v_i Q)·(v_j K) / √D
    a_ij below the mean 1/(F − 1) is cut, the rest is scaled to sum 1
    h_i  = v_i ⊙ (Σ_j a_ij v_j) W
    logit = b + Σ_i w_i + Σ_i u·h_i

Source: Deng et al., "BKD: A Bridge-based Knowledge Distillation Method for Click-Through Rate
Prediction", SIGIR 2023. Only its abstract is public: a graph network, edges that find significant
interactions, less redundancy, knowledge handed on in separate parts. Everything more exact than
that is ours. It is a teacher for the study, not an architecture to configure as a peer.

B rows, F fields, D embedding dim, E = D + 1.
"""

import torch
from torch import Tensor

from models.base import ClickModel
from models.embedding import Gathered
from models.mlp import linear


class Bridge(ClickModel):
    """One layer of messages between fields, read out as a first-order and an interaction part."""

    def __init__(self, *, num_ids: int, num_fields: int, embedding_dim: int):
        super().__init__(num_ids=num_ids, embedding_dim=embedding_dim, first_order=True)
        self.query = linear(embedding_dim, embedding_dim, bias=False)
        self.key = linear(embedding_dim, embedding_dim, bias=False)
        self.message = linear(embedding_dim, embedding_dim, bias=False)
        self.readout = linear(embedding_dim, 1, bias=False)
        self.register_buffer("_self", torch.eye(num_fields, dtype=torch.bool), persistent=False)

    def interact(self, rows: Gathered) -> Tensor:
        emb_BFD, first_BF = rows
        neighbours_BFD = edges(self.query(emb_BFD), self.key(emb_BFD), self._self) @ emb_BFD
        nodes_BFD = emb_BFD * self.message(neighbours_BFD)
        return self.bias + first_BF.sum(dim=1) + self.readout(nodes_BFD.sum(dim=1)).squeeze(1)


def edges(query_BFD: Tensor, key_BFD: Tensor, self_FF: Tensor) -> Tensor:
    """Share a_ij [B, F, F] of every other field j in what field i hears; rows sum to 1."""
    fields, dim = query_BFD.shape[1:]
    score_BFF = query_BFD @ key_BFD.transpose(1, 2) / dim**0.5
    share_BFF = score_BFF.masked_fill(self_FF, float("-inf")).softmax(dim=2)
    kept_BFF = torch.where(share_BFF >= (1 - 1e-6) / (fields - 1), share_BFF, 0.0)
    return kept_BFF / kept_BFF.sum(dim=2, keepdim=True)
