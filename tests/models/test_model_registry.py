"""Building by name, and options read from the constructors."""

import pytest

from models.registry import ARCHITECTURES, Option, build, options_of, reads_sequences
from models.sequence import Sequence
from mutualctr.config import PeerConfig

COMMON = {"num_ids": 8, "num_fields": 4, "embedding_dim": 2, "hidden": (3,), "dropout": 0.0}


def test_options_are_what_the_constructors_say():
    assert {name: options_of(name) for name in ARCHITECTURES} == {
        "deepfm": {},
        "dcn": {"cross_layers": Option(choices=(), default=3)},
        "pnn": {"product": Option(choices=("inner", "outer"), default="inner")},
        "fibinet": {
            "bilinear": Option(choices=("all", "each", "interaction"), default="interaction"),
            "reduction": Option(choices=(), default=3),
        },
        "widedeep": {},
        "xdeepfm": {
            "cin_layers": Option(choices=(), default=3),
            "cin_maps": Option(choices=(), default=16),
        },
        "dcnv2": {"cross_layers": Option(choices=(), default=3)},
        "autoint": {
            "attention_layers": Option(choices=(), default=3),
            "heads": Option(choices=(), default=2),
        },
        "finalmlp": {
            "context": Option(choices=("learned", "leading_fields"), default="learned"),
            "heads": Option(choices=(), default=1),
        },
        "dicn": {
            "cin_layers": Option(choices=(), default=3),
            "cin_maps": Option(choices=(), default=16),
        },
        "din": {},
        "dien": {},
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_builds_the_class_it_names_with_its_defaults(architecture):
    model = build(architecture, **COMMON, sequences=(Sequence(2, 2, 1, 2),))
    assert type(model) is ARCHITECTURES[architecture]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_is_a_peer_to_configure(architecture):
    options = {name: option.default for name, option in options_of(architecture).items()}
    assert PeerConfig(architecture=architecture, seed=0, options=options).options == options


def test_options_reach_the_model():
    assert len(build("dcn", **COMMON, cross_layers=5).cross) == 5


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_only_a_reader_of_sequences_asks_for_one(architecture):
    if reads_sequences(architecture):
        with pytest.raises(ValueError, match=f"{architecture} reads sequences and the data has"):
            build(architecture, **COMMON)
    else:
        build(architecture, **COMMON)


@pytest.mark.parametrize(
    ("architecture", "options", "sentence"),
    [
        ("deepfn", {}, "'deepfn' is not a known architecture; .* deepfm, dcn, pnn, fibinet"),
        ("dcn", {"cross_layer": 3}, "dcn has no option 'cross_layer'; it has cross_layers"),
        ("deepfm", {"product": "inner"}, "deepfm has no option 'product'; it has none"),
        ("pnn", {"product": "kernel"}, "product of pnn is 'kernel'; it takes one of inner, outer"),
        ("dcn", {"cross_layers": 0}, "cross_layers of dcn is 0; it takes an integer of at least 1"),
        ("dcn", {"cross_layers": True}, "cross_layers of dcn is True"),
        ("fibinet", {"reduction": "3"}, "reduction of fibinet is '3'"),
        ("fibinet", {"bilinear": ["all"]}, r"bilinear of fibinet is \['all'\]"),
    ],
)
def test_says_what_is_wrong(architecture, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(architecture, **COMMON, **options)
