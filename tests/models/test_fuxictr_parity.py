"""The same weights give FuxiCTR's logits and FuxiCTR's gradients, for all four models."""

import pytest
import torch

from models.base import ClickModel
from models.registry import build

pytest.importorskip("fuxictr", reason="FuxiCTR is not installed")

from fuxictr_reference import FIRST_ORDER, MAIN, REFERENCES, Reference, carry_over

SIZES, DIM, HIDDEN, ROWS = [3, 5, 4, 7, 6], 4, [16, 8], 64

# PNN's outer product is missing because FuxiCTR has none.
CASES = [
    ("deepfm", {}),
    ("dcn", {"cross_layers": 1}),
    ("dcn", {"cross_layers": 3}),
    ("pnn", {"product": "inner"}),
    ("fibinet", {"bilinear": "all", "reduction": 3}),
    ("fibinet", {"bilinear": "each", "reduction": 2}),
    ("fibinet", {"bilinear": "interaction", "reduction": 1}),
    ("fibinet", {"bilinear": "interaction", "reduction": 3}),
]


def pair(architecture: str, options: dict) -> tuple[ClickModel, Reference]:
    torch.manual_seed(0)
    ours = build(
        architecture,
        num_ids=sum(SIZES),
        num_fields=len(SIZES),
        embedding_dim=DIM,
        hidden=HIDDEN,
        dropout=0.0,
        **options,
    )
    torch.nn.init.normal_(ours.table, std=0.5)
    for name, parameter in ours.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    theirs = REFERENCES[architecture](SIZES, DIM, HIDDEN, **options)
    carry_over(ours, theirs, SIZES)
    return ours, theirs


def clicks() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The same rows twice: ids_BF shifted into one table, and FuxiCTR's own ids per feature."""
    generator = torch.Generator().manual_seed(1)
    own = [torch.randint(size, (ROWS,), generator=generator) for size in SIZES]
    offsets = torch.tensor([0, *SIZES[:-1]]).cumsum(0)
    return torch.stack(own, dim=1) + offsets, {f"f{f}": ids_B for f, ids_B in enumerate(own)}


@pytest.mark.parametrize(("architecture", "options"), CASES)
def test_logits_and_table_gradients_are_equal(architecture, options):
    ours, theirs = pair(architecture, options)
    ids_BF, features = clicks()
    logit_B, their_logit_B = ours(ids_BF), theirs(features).squeeze(1)
    assert logit_B.std() > 0.1, "logits that hardly differ would agree whatever the model"
    torch.testing.assert_close(logit_B, their_logit_B, atol=1e-5, rtol=0)

    logit_B.sum().backward()
    their_logit_B.sum().backward()
    names = [MAIN, FIRST_ORDER] if hasattr(theirs, "linear") else [MAIN]
    their_grad_VE = torch.cat(
        [
            torch.cat([theirs.get_parameter(n.format(f"f{f}")).grad for n in names], dim=1)
            for f in range(len(SIZES))
        ]
    )
    torch.testing.assert_close(ours.table.grad, their_grad_VE, atol=1e-4, rtol=1e-5)


def test_all_four_architectures_are_compared():
    assert {architecture for architecture, _ in CASES} == set(REFERENCES)
    assert len(REFERENCES) == 4
