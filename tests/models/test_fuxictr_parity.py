"""The same weights give FuxiCTR's logits and gradients, for every model it has layers of."""

import pytest
import torch

from models.base import ClickModel
from models.registry import ARCHITECTURES, build, reads_sequences
from models.sequence import Sequence

pytest.importorskip("fuxictr", reason="FuxiCTR is not installed")

from fuxictr_reference import FIRST_ORDER, MAIN, REFERENCES, Reference, carry_over

SIZES, DIM, HIDDEN, ROWS = [3, 5, 4, 7, 6], 4, [16, 8], 64
OFFSETS = torch.tensor([0, *SIZES[:-1]]).cumsum(0)
# For DIN: three earlier items in the ids of field 3, whose first id is the padding.
ITEMS = Sequence(start=5, length=3, target=3, padding_id=int(OFFSETS[3]))

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
    ("widedeep", {}),
    ("xdeepfm", {"cin_layers": 1, "cin_maps": 4}),
    ("xdeepfm", {"cin_layers": 3, "cin_maps": 2}),
    ("dcnv2", {"cross_layers": 1}),
    ("dcnv2", {"cross_layers": 3}),
    ("autoint", {"attention_layers": 1, "heads": 2}),
    ("autoint", {"attention_layers": 3, "heads": 1}),
    ("finalmlp", {"context": "learned", "heads": 2}),
    ("finalmlp", {"context": "leading_fields", "heads": 1}),
    ("din", {}),
]


def pair(architecture: str, options: dict) -> tuple[ClickModel, Reference]:
    torch.manual_seed(0)
    ours = build(
        architecture,
        num_ids=sum(SIZES),
        num_fields=len(SIZES) + (ITEMS.length if reads_sequences(architecture) else 0),
        embedding_dim=DIM,
        hidden=HIDDEN,
        dropout=0.0,
        sequences=(ITEMS,),
        **options,
    )
    torch.nn.init.normal_(ours.table, std=0.5)
    with torch.no_grad():
        ours.table[ITEMS.padding_id] = 0.0
    for name, parameter in ours.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    if reads_sequences(architecture):
        options = {**options, "target": f"f{ITEMS.target}"}
    theirs = REFERENCES[architecture](SIZES, DIM, HIDDEN, **options)
    carry_over(ours, theirs, SIZES)
    return ours, theirs


def clicks(with_items: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The same rows twice: ids_BF shifted into one table, and FuxiCTR's own ids per feature."""
    generator = torch.Generator().manual_seed(1)
    own = [torch.randint(1, size, (ROWS,), generator=generator) for size in SIZES]
    ids_BF, features = (
        torch.stack(own, dim=1) + OFFSETS,
        {f"f{f}": ids for f, ids in enumerate(own)},
    )
    if with_items:
        items_BT = torch.randint(SIZES[ITEMS.target], (ROWS, ITEMS.length), generator=generator)
        ids_BF = torch.cat([ids_BF, items_BT + ITEMS.padding_id], dim=1)
        features["items"] = items_BT
    return ids_BF, features


@pytest.mark.parametrize(("architecture", "options"), CASES)
def test_logits_and_table_gradients_are_equal(architecture, options):
    ours, theirs = pair(architecture, options)
    ids_BF, features = clicks(reads_sequences(architecture))
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


def test_every_architecture_is_compared_that_fuxictr_has():
    assert {architecture for architecture, _ in CASES} == set(REFERENCES)
    assert set(ARCHITECTURES) - set(REFERENCES) == {"dicn", "dien"}
