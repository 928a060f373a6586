"""How large the four models are on Criteo: 39 fields, dimension 16, MLP 400-200-100."""

import pytest

from models.registry import build

# MLP on 39 · 16 = 624 inputs: 624·400+400 + 400·200+200 + 200·100+100 = 350 300; head 100; bias 1
# deepfm                          350 300 + 101                                     =   350 401
# dcn      three cross layers of 2 · 624 = 3 744, head 624 + 100:
#                                 350 300 + 3 744 + 724 + 1                         =   354 769
# pnn      inner 624 + 741 = 1 365 inputs: 1365·400+400 + 100 300 + 101             =   646 801
#          outer 624 + 136 =   760 inputs:  760·400+400 + 100 300 + 101             =   404 801
# fibinet  2 · 741 · 16 = 23 712 inputs: 23712·400+400 + 100 300 + 101 = 9 585 601; SENET
#          2 · 39 · 13 = 1 014; bilinear matrices of 256 on two paths, 741, 38 or 1 each
COUNTS = [
    ("deepfm", {}, 17, 350_401),
    ("dcn", {}, 16, 354_769),
    ("pnn", {"product": "inner"}, 16, 646_801),
    ("pnn", {"product": "outer"}, 16, 404_801),
    ("fibinet", {"bilinear": "interaction"}, 17, 9_585_601 + 1_014 + 2 * 741 * 256),
    ("fibinet", {"bilinear": "each"}, 17, 9_585_601 + 1_014 + 2 * 38 * 256),
    ("fibinet", {"bilinear": "all"}, 17, 9_585_601 + 1_014 + 2 * 256),
]


@pytest.mark.parametrize(("architecture", "options", "table_width", "dense"), COUNTS)
def test_criteo_shape(architecture, options, table_width, dense):
    model = build(
        architecture,
        num_ids=1000,
        num_fields=39,
        embedding_dim=16,
        hidden=(400, 200, 100),
        dropout=0.0,
        **options,
    )
    assert model.table.shape == (1000, table_width)
    assert sum(parameter.numel() for parameter in model.dense_parameters()) == dense
