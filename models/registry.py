"""Which architectures there are, which options each has, and how to build one by name."""

import inspect
from collections import abc
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from models.autoint import AutoInt
from models.base import ClickModel
from models.dcn import DCN
from models.dcnv2 import DCNv2
from models.deepfm import DeepFM
from models.dicn import DICN
from models.dien import DIEN
from models.din import DIN
from models.fibinet import FiBiNET
from models.finalmlp import FinalMLP
from models.pnn import PNN
from models.sequence import Sequence
from models.widedeep import WideDeep
from models.xdeepfm import XDeepFM

ARCHITECTURES: dict[str, type[ClickModel]] = {
    "deepfm": DeepFM,
    "dcn": DCN,
    "pnn": PNN,
    "fibinet": FiBiNET,
    "widedeep": WideDeep,
    "xdeepfm": XDeepFM,
    "dcnv2": DCNv2,
    "autoint": AutoInt,
    "finalmlp": FinalMLP,
    "dicn": DICN,
    "din": DIN,
    "dien": DIEN,
}

OptionValue = str | int


@dataclass(frozen=True)
class Option:
    """One option of an architecture: a word out of `choices`, or a count where there are none."""

    choices: tuple[str, ...]
    default: OptionValue

    @property
    def rule(self) -> str:
        """What the option takes, for an error message."""
        return f"one of {', '.join(self.choices)}" if self.choices else "an integer of at least 1"

    def accepts(self, value: object) -> bool:
        """Whether the architecture can be built with this value."""
        if self.choices:
            return value in self.choices
        return type(value) is int and value >= 1


def options_of(architecture: str) -> dict[str, Option]:
    """The options an architecture has beyond the common ones, read from its constructor.

    Raises ValueError for an unknown architecture.
    """
    common = inspect.signature(build).parameters
    own = inspect.signature(_architecture(architecture)).parameters
    return {name: _option(own[name]) for name in own if name not in common}


def build(
    architecture: str,
    *,
    num_ids: int,
    num_fields: int,
    embedding_dim: int,
    hidden: abc.Sequence[int],
    dropout: float,
    sequences: tuple[Sequence, ...] = (),
    **options: OptionValue,
) -> ClickModel:
    """A fresh model; seed torch before calling, all initial weights are drawn here.

    `sequences` are columns among the fields. An architecture that does not read sequences takes
    each of their columns for a field like any other.

    Raises ValueError for an unknown architecture, an option it has not, a value not allowed, and
    for an architecture that reads sequences where there are none.
    """
    model_class = _architecture(architecture)
    known = options_of(architecture)
    for name, value in options.items():
        if name not in known:
            raise ValueError(
                f"{architecture} has no option {name!r}; it has {', '.join(known) or 'none'}."
            )
        if not known[name].accepts(value):
            raise ValueError(f"{name} of {architecture} is {value!r}; it takes {known[name].rule}.")
    if reads_sequences(architecture):
        if not sequences:
            raise ValueError(
                f"{architecture} reads sequences and the data has none; choose another "
                "architecture or a contract with a sequence."
            )
        options = {**options, "sequences": sequences}
    return model_class(
        num_ids=num_ids,
        num_fields=num_fields,
        embedding_dim=embedding_dim,
        hidden=hidden,
        dropout=dropout,
        **options,
    )


def reads_sequences(architecture: str) -> bool:
    """Whether it is built from sequences. Raises ValueError for an unknown architecture."""
    return "sequences" in inspect.signature(_architecture(architecture)).parameters


def _architecture(name: str) -> type[ClickModel]:
    if name not in ARCHITECTURES:
        raise ValueError(
            f"{name!r} is not a known architecture; the known ones are {', '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[name]


def _option(parameter: inspect.Parameter) -> Option:
    if get_origin(parameter.annotation) is Literal:
        return Option(choices=get_args(parameter.annotation), default=parameter.default)
    assert parameter.annotation is int, f"{parameter}: options are words or counts"
    return Option(choices=(), default=parameter.default)
