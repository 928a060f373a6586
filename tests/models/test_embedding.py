"""The one table: gather, split, initialisation."""

import torch

from models.embedding import FieldEmbedding


def test_gather_by_hand():
    # ids 0 and 2 of a [3, 2 + 1] table: v = (0, 1), (6, 7); first order 2 and 8
    embedding = FieldEmbedding(num_ids=3, embedding_dim=2, first_order=True)
    embedding.load_state_dict({"weight": torch.arange(9.0).view(3, 3)})
    ids_BF = torch.tensor([[0, 2]])
    assert embedding.columns == (2, 1)
    assert embedding.rows(ids_BF).tolist() == [[[0.0, 1.0, 2.0], [6.0, 7.0, 8.0]]]
    emb_BFD, first_BF = embedding(ids_BF)
    assert emb_BFD.tolist() == [[[0.0, 1.0], [6.0, 7.0]]]
    assert first_BF.tolist() == [[2.0, 8.0]]
    assert emb_BFD.is_contiguous()
    assert first_BF.is_contiguous()


def test_without_first_order_the_rows_are_the_embeddings():
    embedding = FieldEmbedding(num_ids=3, embedding_dim=2, first_order=False)
    emb_BFD, first_BF = embedding(torch.tensor([[0, 2]]))
    assert embedding.weight.shape == (3, 2)
    assert embedding.columns == (2,)
    assert first_BF is None
    assert torch.equal(emb_BFD, embedding.weight[torch.tensor([[0, 2]])])


def test_int32_ids_gather_the_same_rows():
    embedding = FieldEmbedding(num_ids=50, embedding_dim=4, first_order=True)
    ids_BF = torch.randint(50, (8, 3))
    assert torch.equal(embedding.rows(ids_BF), embedding.rows(ids_BF.int()))


def test_starts_small_and_centred():
    torch.manual_seed(0)
    weight = FieldEmbedding(num_ids=5000, embedding_dim=16, first_order=True).weight
    assert abs(weight.std().item() - 1e-4) < 2e-6
    assert abs(weight.mean().item()) < 2e-6
    assert abs(weight[:, -1].std().item() - 1e-4) < 5e-6
