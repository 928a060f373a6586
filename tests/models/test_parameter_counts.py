"""How large the models are on Criteo: 39 fields, dimension 16, MLP 400-200-100.

Those that read sequences: 36 plain fields and one sequence of three places.
"""

from pathlib import Path

import pytest

from models.registry import ARCHITECTURES, build
from models.sequence import Sequence

README = Path(__file__).parents[2] / "models" / "README.md"

# MLP on 39 · 16 = 624 inputs: 624·400+400 + 400·200+200 + 200·100+100 = 350 300; head 100; bias 1
# deepfm                          350 300 + 101                                     =   350 401
# dcn      three cross layers of 2 · 624 = 3 744, head 624 + 100:
#                                 350 300 + 3 744 + 724 + 1                         =   354 769
# pnn      inner 624 + 741 = 1 365 inputs: 1365·400+400 + 100 300 + 101             =   646 801
#          outer 624 + 136 =   760 inputs:  760·400+400 + 100 300 + 101             =   404 801
# fibinet  2 · 741 · 16 = 23 712 inputs: 23712·400+400 + 100 300 + 101 = 9 585 601; SENET
#          2 · 39 · 13 = 1 014; bilinear matrices of 256 on two paths, 741, 38 or 1 each
# widedeep as deepfm                                                                =   350 401
# xdeepfm  CIN 16·39·39 + 2 · 16·39·16 = 44 304, its head 48; 350 401               =   394 753
# dcnv2    three of 624·624 + 624 = 1 170 000; 350 300 + 724 + 1                    = 1 521 025
# autoint  four maps of 16·64, twice four of 64·64: 36 864; head 39·64 = 2 496; 350 401
#                                                                                   =   389 761
# finalmlp two MLPs 700 600; fusion 2·100 + 100·100; 1                              =   710 801
#          learned: gates 2 · 624;  leading_fields: 2 · (16·64+64 + 64·624+624) = 83 296
# dicn     as xdeepfm, and 624·4 + 4 = 2 500 for the weights of four orders   =   397 253
# din      37 · 16 = 592 inputs: 592·400+400 + 100 300 + 101 = 337 601; unit 64·64+64 + 64 + 64+1
# dien     337 601; two units of 16·48+48 + 16·48 = 1 584; W 256
COUNTS = [
    ("deepfm", {}, 17, 350_401),
    ("dcn", {}, 16, 354_769),
    ("pnn", {"product": "inner"}, 16, 646_801),
    ("pnn", {"product": "outer"}, 16, 404_801),
    ("fibinet", {"bilinear": "interaction"}, 17, 9_585_601 + 1_014 + 2 * 741 * 256),
    ("fibinet", {"bilinear": "each"}, 17, 9_585_601 + 1_014 + 2 * 38 * 256),
    ("fibinet", {"bilinear": "all"}, 17, 9_585_601 + 1_014 + 2 * 256),
    ("widedeep", {}, 17, 350_401),
    ("xdeepfm", {}, 17, 350_401 + 44_304 + 48),
    ("dcnv2", {}, 16, 1_521_025),
    ("autoint", {}, 16, 350_401 + 36_864 + 2_496),
    ("finalmlp", {"context": "learned"}, 16, 710_801 + 2 * 624),
    ("finalmlp", {"context": "leading_fields"}, 16, 710_801 + 83_296),
    ("dicn", {}, 17, 350_401 + 44_304 + 48 + 2_500),
    ("din", {}, 16, 337_601 + 64 * 64 + 64 + 64 + 65),
    ("dien", {}, 16, 337_601 + 2 * 1_584 + 256),
]


@pytest.mark.parametrize(("architecture", "options", "table_width", "dense"), COUNTS)
def test_criteo_shape(architecture, options, table_width, dense):
    model = criteo_model(architecture, options)
    assert model.table.shape == (1000, table_width)
    assert dense_parameters(model) == dense


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_readme_says_how_many(architecture):
    (row,) = [
        line
        for line in README.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `{architecture}` |")
    ]
    model = criteo_model(architecture, {})
    assert row.endswith(f"| {dense_parameters(model):,} + {model.table.shape[1]} |")


def criteo_model(architecture: str, options: dict):
    return build(
        architecture,
        num_ids=1000,
        num_fields=39,
        embedding_dim=16,
        hidden=(400, 200, 100),
        dropout=0.0,
        sequences=(Sequence(start=36, length=3, target=0, padding_id=0),),
        **options,
    )


def dense_parameters(model) -> int:
    return sum(parameter.numel() for parameter in model.dense_parameters())
