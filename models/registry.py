"""Which architectures there are, which options each has, and how to build one by name."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from models.base import ClickModel
from models.dcn import DCN
from models.deepfm import DeepFM
from models.fibinet import FiBiNET
from models.pnn import PNN

ARCHITECTURES: dict[str, type[ClickModel]] = {
    "deepfm": DeepFM,
    "dcn": DCN,
    "pnn": PNN,
    "fibinet": FiBiNET,
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
    hidden: Sequence[int],
    dropout: float,
    **options: OptionValue,
) -> ClickModel:
    """A fresh model; seed torch before calling, all initial weights are drawn here.

    Raises ValueError for an unknown architecture, an option it has not, or a value not allowed.
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
    return model_class(
        num_ids=num_ids,
        num_fields=num_fields,
        embedding_dim=embedding_dim,
        hidden=hidden,
        dropout=dropout,
        **options,
    )


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
