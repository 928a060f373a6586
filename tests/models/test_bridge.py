"""The bridge: edges by hand, and that nothing but the strong ones is heard."""

import math

import torch

from models.bridge import Bridge, edges


def test_edges_by_hand():
    # three fields, D = 1: scores of field 0 are q0·k1 = 0 and q0·k2 = ln 3, so shares ¼ and ¾;
    # ¼ is below the mean ½ and cut
    query_BFD = torch.tensor([[[1.0], [0.0], [0.0]]])
    key_BFD = torch.tensor([[[5.0], [0.0], [math.log(3)]]])
    share_BFF = edges(query_BFD, key_BFD, torch.eye(3, dtype=torch.bool))
    assert torch.allclose(share_BFF[0, 0], torch.tensor([0.0, 0.0, 1.0]))
    # fields 1 and 2 are indifferent: the other two at ½ each
    assert torch.allclose(share_BFF[0, 1], torch.tensor([0.5, 0.0, 0.5]))
    assert torch.allclose(share_BFF[0, 2], torch.tensor([0.5, 0.5, 0.0]))


def test_logit_is_its_two_parts():
    torch.manual_seed(0)
    model = Bridge(num_ids=12, num_fields=3, embedding_dim=4)
    torch.nn.init.normal_(model.table)
    ids_BF = torch.tensor([[0, 5, 9], [2, 6, 11]])
    emb_BFD, first_BF = model.embedding(ids_BF)
    share_BFF = edges(model.query(emb_BFD), model.key(emb_BFD), torch.eye(3, dtype=torch.bool))
    expected = []
    for b in range(2):
        total = model.bias + first_BF[b].sum()
        for i in range(3):
            heard_D = sum(share_BFF[b, i, j] * emb_BFD[b, j] for j in range(3))
            node_D = emb_BFD[b, i] * (model.message.weight @ heard_D)
            total = total + model.readout.weight[0] @ node_D
        expected.append(total.squeeze())
    assert torch.allclose(model(ids_BF), torch.stack(expected), atol=1e-6)
