"""What a CUDA graph can hold: a step that asks nothing of the device and whose shapes never change.

On torch's `meta` device tensors have shapes and no values, so whatever would wait for the device
or depend on the batch's ids raises. Only the optimizer's kernel is unknown there; what stands in
for it asks for what the GPU's kernel asks for.
"""

from contextlib import nullcontext

import pytest
import torch
from torch import library as operators
from worlds import optimizer_config

from models.registry import ARCHITECTURES, build
from models.sequence import Sequence
from mutualctr.training.losses import bce, mutual_term
from mutualctr.training.optimizer import PeerOptimizer
from mutualctr.training.step import Step
from mutualctr.training.touched import PaddedTouched, Touched

ROWS, FIELDS, IDS, PEERS = 8, 6, 100, 2
META = torch.device("meta")
ITEMS = Sequence(start=3, length=3, target=1, padding_id=10)


@pytest.fixture
def stepped():
    """What the optimizer's kernel was given, for as long as it is stood in for."""
    calls = []

    def fused_adam(weights, gradients, firsts, seconds, maximal, steps, *, lr, **settings):
        for parts in zip(weights, gradients, firsts, seconds, strict=True):
            assert {part.device for part in (*parts, *steps, lr)} == {META}
            assert len({(part.dtype, part.shape, part.stride()) for part in parts}) == 1
            assert parts[0].is_contiguous()
        calls.append(sum(weight.numel() for weight in weights))

    library = operators.Library("aten", "IMPL")
    library.impl("_fused_adam_.tensor_lr", fused_adam, "Meta")
    yield calls
    library._destroy()


@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_step_asks_nothing_of_the_device(architecture, dtype, stepped):
    shape = {"num_ids": IDS, "num_fields": FIELDS, "embedding_dim": 4, "hidden": (8, 4)}
    peers = [
        build(architecture, **shape, dropout=0.0, sequences=(ITEMS,)).to(META) for _ in range(PEERS)
    ]
    optimizers = [PeerOptimizer(model, optimizer_config()) for model in peers]
    one_by_one = lambda work: [work(n) for n in range(PEERS)]  # noqa: E731
    step = Step(peers, optimizers, paired, dtype, lambda n: nullcontext(), one_by_one)
    assert step.look is PaddedTouched
    ids_BF = torch.zeros(ROWS, FIELDS, dtype=torch.int32, device=META)
    values_KN = step(torch.zeros((), device=META), step.look(ids_BF), ids_BF[:, 0].float())
    assert (values_KN.shape, values_KN.device) == ((2, PEERS), META)
    parameters = sum(weight.numel() for model in peers for weight in model.parameters())
    assert sum(stepped) == parameters


def paired(logit_NB, label_B):
    bce_N = bce(label_B, logit_NB)
    mutual_N, pairwise_N = mutual_term(logit_NB, "prob")
    return bce_N + mutual_N, torch.stack([bce_N.detach(), pairwise_N])


def test_what_asks_is_heard():
    """`Touched` finds out how many rows a batch touches."""
    with pytest.raises((RuntimeError, NotImplementedError)):
        Touched(torch.zeros(ROWS, FIELDS, dtype=torch.int32, device=META))
