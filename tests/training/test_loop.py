"""The loops against the reference, the meaning of L2's scope, and sameness to the last bit."""

import copy

import pytest
import reference
import torch
from worlds import (
    NUM_IDS,
    SEQUENCES,
    SILENT,
    SIZES,
    block,
    finetune_config,
    optimizer_config,
    pretrain_config,
)

from models.registry import ARCHITECTURES, build, reads_sequences
from mutualctr.training import loop
from mutualctr.training.determinism import deterministic
from mutualctr.training.optimizer import PeerOptimizer
from mutualctr.training.touched import Touched

DTYPES = {torch.float64: 1e-10, torch.float32: 1e-5}


def make(architecture: str, seed: int = 0, dtype: torch.dtype = torch.float64, spare_ids: int = 0):
    torch.manual_seed(seed)
    model = build(
        architecture,
        num_ids=NUM_IDS + spare_ids,
        num_fields=len(SIZES),
        embedding_dim=4,
        hidden=(8, 5),
        dropout=0.0,
        sequences=SEQUENCES,
    )
    with torch.no_grad():  # initial embeddings of 1e-4 would let Adam amplify rounding
        model.table.normal_(std=0.3)
        if reads_sequences(architecture):
            model.table[SEQUENCES[0].padding_id] = 0.0
    return model.to(dtype)


def assert_same(one, other, tolerance):
    for name, value in one.state_dict().items():
        difference = (value - other.state_dict()[name]).abs().max().item()
        assert difference < tolerance, f"{name} differs by {difference}"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("scope", ["full", "touched"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pretraining_is_the_reference(architecture, scope, dtype):
    train, dev = block(2500, 1), block(200, 2)  # 50 steps
    ours = make(architecture, dtype=dtype)
    slow = copy.deepcopy(ours)
    config = pretrain_config(epochs=1)
    loop.pretrain(ours, train, dev, optimizer_config(scope), config, 11, SILENT)
    reference.pretrain(slow, train, optimizer_config(scope), config, 11)
    assert_same(ours, slow, DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rows_that_owe_many_steps_are_the_reference(dtype):
    # With this many rows nobody touches, all of them owe whole windows of steps.
    train, dev = block(2500, 1), block(200, 2)
    ours = make("deepfm", dtype=dtype, spare_ids=3000)
    slow = copy.deepcopy(ours)
    config = pretrain_config(epochs=1)
    loop.pretrain(ours, train, dev, optimizer_config(), config, 11, SILENT)
    reference.pretrain(slow, train, optimizer_config(), config, 11)
    assert_same(ours, slow, DTYPES[dtype])


@pytest.mark.parametrize("weight", [0.0, 2.0])
@pytest.mark.parametrize("space", ["prob", "logit", "soft_bce"])
def test_a_mixed_cohort_is_the_reference(space, weight):
    train, dev = block(1000, 1), block(200, 2)  # 20 steps
    ours = [make(name, seed) for seed, name in enumerate(ARCHITECTURES)]
    slow = copy.deepcopy(ours)
    config = finetune_config(space)
    loop.finetune(ours, train, dev, optimizer_config(), config, weight, SILENT)
    reference.finetune(slow, train, optimizer_config(), config, weight)
    for one, other in zip(ours, slow, strict=True):
        assert_same(one, other, 1e-10)


def test_the_control_is_every_peer_by_itself():
    train, dev = block(500, 1), block(200, 2)
    together = [make("deepfm", seed) for seed in range(3)]
    alone = copy.deepcopy(together)
    config = finetune_config()
    loop.finetune(together, train, dev, optimizer_config(), config, 0.0, SILENT)
    for n in range(3):
        pair = [alone[n], make("dcn", 9)]
        loop.finetune(pair, train, dev, optimizer_config(), config, 0.0, SILENT)
        assert_same(together[n], alone[n], 1e-12)


def test_an_unseen_row_moves_under_full_and_stays_under_touched():
    train, dev = block(300, 1), block(200, 2)
    for scope, moves in (("full", True), ("touched", False)):
        model = make("deepfm", spare_ids=5)
        before = model.table.detach()[NUM_IDS:].clone()
        config = pretrain_config(epochs=1)
        loop.pretrain(model, train, dev, optimizer_config(scope), config, 4, SILENT)
        after = model.table.detach()[NUM_IDS:]
        assert torch.equal(before, after) is not moves
        if moves:  # towards zero; near it Adam's full-size steps overshoot
            far = before.abs() > 0.1
            assert (after.abs() < before.abs())[far].all()


def step_with_ones(model, optimizer, lr, table_rows):
    """A step whose gradient is one in these rows and zero in the dense weights."""
    touched = Touched(torch.tensor([table_rows], dtype=torch.int32))
    gathered = optimizer.gather(touched)
    for part in gathered:
        part.grad = torch.ones_like(part)
    for parameter in model.dense_parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(lr, touched, gathered)


def test_a_row_absent_from_one_batch_stays_under_touched():
    model = make("deepfm")
    optimizer = PeerOptimizer(model, optimizer_config("touched"))
    step_with_ones(model, optimizer, 0.1, [0, 1])  # row 0 now has momentum
    before = model.table.detach().clone()
    step_with_ones(model, optimizer, 0.1, [1, 2])
    moved = (model.table.detach() != before).any(dim=1).nonzero().flatten()
    assert moved.tolist() == [1, 2]


def test_one_adam_step_by_hand():
    # First step: m̂ = g, v̂ = g², so a weight moves by lr · g / (|g| + 1e-8) ≈ lr · sign(g).
    # g = gradient + λ·w; row 0: 1 + 1e-3·w > 0, so −lr; an untouched row: 1e-3·w, so −lr·sign(w).
    model = make("deepfm")
    before = model.table.detach().clone()
    optimizer = PeerOptimizer(model, optimizer_config("full"))
    step_with_ones(model, optimizer, 0.01, [0])
    optimizer.settle()
    moved = model.table.detach() - before
    assert torch.allclose(moved[0], torch.full_like(moved[0], -0.01), rtol=1e-6)
    big = before.abs() > 0.1
    big[0] = False
    assert torch.allclose(moved[big], -0.01 * before[big].sign(), rtol=1e-3)


def test_the_best_dev_epoch_is_kept():
    train, dev = block(400, 1), block(300, 2)
    model = make("deepfm", dtype=torch.float32)
    config = pretrain_config(epochs=4)
    curve = loop.pretrain(model, train, dev, optimizer_config(), config, 4, SILENT)
    best = max(point["dev_auc"] for point in curve)
    assert len({point["dev_auc"] for point in curve}) > 1
    assert loop.auc(dev.label_R, loop.predict(model, dev)) == best


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    def run(seed: int) -> list[torch.Tensor]:
        train, dev = block(1000, 1), block(200, 2)
        peers = [make("deepfm", 0, torch.float32), make("fibinet", 1, torch.float32)]
        with deterministic():
            for model in peers:
                loop.pretrain(
                    model, train, dev, optimizer_config(), pretrain_config(), seed, SILENT
                )
            loop.finetune(peers, train, dev, optimizer_config(), finetune_config(), 2.0, SILENT)
        return [value for model in peers for value in model.state_dict().values()]

    first, second, other = run(1), run(1), run(2)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
