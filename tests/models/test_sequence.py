"""Where sequences lie, that padding is invisible, and that its row stays zero through training."""

import numpy as np
import pytest
import torch

from models.registry import ARCHITECTURES, build, reads_sequences
from models.sequence import Sequence, Sequences
from mutualctr.config import FinetuneConfig, OptimizerConfig, PretrainConfig
from mutualctr.data.blocks import Block
from mutualctr.training import loop

READERS = [name for name in ARCHITECTURES if reads_sequences(name)]
USERS, ITEMS, LENGTH = 6, 9, 4
PADDING = USERS  # the first id of the item field, columns: user, item, four earlier items
SILENT = loop.Progress(report=lambda rows: None, record=lambda peer, point: None)


def make(architecture: str, length: int = LENGTH, seed: int = 0):
    torch.manual_seed(seed)
    model = build(
        architecture,
        num_ids=USERS + ITEMS,
        num_fields=2 + length,
        embedding_dim=3,
        hidden=(8, 5),
        dropout=0.0,
        sequences=(Sequence(start=2, length=length, target=1, padding_id=PADDING),),
    ).double()
    with torch.no_grad():
        model.table[PADDING + 1 :].normal_(std=0.5)
    return model


def clicks(rows: int, seed: int) -> Block:
    """Rows with 0 to 4 earlier items, padding in front; a click is likelier on an item seen."""
    rng = np.random.default_rng(seed)
    user_R = rng.integers(0, USERS, rows)
    item_R = rng.integers(1, ITEMS, rows)
    before_RT = rng.integers(1, ITEMS, (rows, LENGTH))
    before_RT[np.arange(LENGTH) < rng.integers(0, LENGTH + 1, rows)[:, None]] = 0
    label_R = rng.random(rows) < np.where((before_RT == item_R[:, None]).any(axis=1), 0.8, 0.2)
    ids_RF = np.column_stack([user_R, USERS + item_R, USERS + before_RT])
    return Block(ids_RF.astype(np.int32), label_R.astype(np.uint8), np.arange(rows))


def test_the_zoo_has_readers_of_sequences():
    assert READERS == ["din", "dien"]


def test_parts_by_hand():
    # columns: plain 0, places 1 and 2 of what column 3 is about, plain 3; the first place is empty
    parts = Sequences((Sequence(start=1, length=2, target=3, padding_id=0),), num_fields=4)
    rows_BFD = torch.tensor([[[1.0, 2.0], [0.0, 0.0], [0.0, 3.0], [4.0, 5.0]]])
    plain_BPD, (sequence,) = parts(rows_BFD)
    assert parts.num_plain == 2
    assert plain_BPD.tolist() == [[[1.0, 2.0], [4.0, 5.0]]]
    assert sequence.target_BD.tolist() == [[4.0, 5.0]]
    assert sequence.items_BTD.tolist() == [[[0.0, 0.0], [0.0, 3.0]]]
    assert sequence.present_BT.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("sequences", "sentence"),
    [
        ((), "sequences is empty"),
        ((Sequence(2, 3, 0, 0),), "no columns of its own among 4"),
        ((Sequence(2, 0, 0, 0),), "no columns of its own"),
        ((Sequence(1, 2, 0, 0), Sequence(2, 2, 0, 0)), r"start=2.* no columns of its own"),
        ((Sequence(1, 2, 2, 0),), "target of .* is not a plain field"),
    ],
)
def test_says_what_is_wrong(sequences, sentence):
    with pytest.raises(ValueError, match=sentence):
        Sequences(sequences, num_fields=4)


@pytest.mark.parametrize("architecture", READERS)
def test_the_padding_row_starts_at_zero(architecture):
    table_VE = make(architecture).table
    assert table_VE[PADDING].count_nonzero() == 0
    assert (table_VE[PADDING + 1 :] != 0).all()


@pytest.mark.parametrize("places", ["in front", "behind", "between"])
@pytest.mark.parametrize("architecture", READERS)
def test_more_padding_changes_no_logit(architecture, places):
    model, wider = make(architecture), make(architecture, length=LENGTH + 2, seed=9)
    wider.load_state_dict(model.state_dict())
    ids_BF = torch.from_numpy(clicks(40, 1).ids_RF)
    at = {"in front": 2, "behind": 2 + LENGTH, "between": 4}[places]
    padding = torch.full((len(ids_BF), 2), PADDING)
    wider_BF = torch.cat([ids_BF[:, :at], padding, ids_BF[:, at:]], dim=1)
    torch.testing.assert_close(wider(wider_BF), model(ids_BF))


@pytest.mark.parametrize("architecture", READERS)
def test_an_item_and_the_order_of_items_matter(architecture):
    model = make(architecture)
    ids_BF = torch.tensor([[0, 8, 6, 6, 9, 10], [0, 8, 6, 6, 10, 9], [0, 8, 6, 6, 6, 9]])
    one, turned, fewer = model(ids_BF).tolist()
    assert one != fewer
    # DIN sums its items, DIEN follows their course.
    assert (one == pytest.approx(turned, abs=1e-12)) is (architecture == "din")


@pytest.mark.parametrize("architecture", READERS)
def test_neither_items_nor_a_target_are_needed(architecture):
    model = make(architecture)
    logit_B = model(torch.tensor([[0, 8, 6, 6, 6, 6], [0, 6, 6, 6, 9, 10]]))
    logit_B.sum().backward()
    assert logit_B.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert model.table.grad[PADDING].count_nonzero() == 0


@pytest.mark.parametrize("scope", ["full", "touched"])
def test_the_padding_row_stays_zero_through_training(scope):
    train, dev = clicks(600, 1), clicks(200, 2)
    assert (train.ids_RF == PADDING).any(axis=1).sum() > 100
    optimizer = OptimizerConfig(
        batch_rows=50, l2_embedding=1e-2, l2_mlp=1e-4, l2_scope=scope, precision="fp32"
    )
    peers = [make(name, seed=seed) for seed, name in enumerate(READERS)]
    for model in peers:
        before = model.table.detach().clone()
        config = PretrainConfig(epochs=1, lr=1e-2)
        loop.pretrain(model, train, dev, optimizer, config, 3, SILENT)
        assert (model.table != before)[PADDING + 1 :].all()
    config = FinetuneConfig(lr=1e-2, weight=1.0, space="prob", seed=3)
    loop.finetune(peers, train, dev, optimizer, config, 1.0, SILENT)
    for model in peers:
        assert model.table[PADDING].count_nonzero() == 0
        assert all(value.isfinite().all() for value in model.state_dict().values())


def test_plain_architectures_take_the_places_for_fields():
    model = make("deepfm")
    assert model.mlp.layers[0].in_features == (2 + LENGTH) * 3
    assert model.table[PADDING].count_nonzero() > 0
