"""A trained peer on disk: weights as safetensors, everything else as JSON. Nothing is pickled."""

import json
from pathlib import Path
from typing import Any, Literal

import safetensors.torch

from models.base import ClickModel
from models.compact import CompactEmbedding, Precision
from models.registry import build
from models.sequence import Sequence
from mutualctr.closed import Closed
from mutualctr.cohort import Start
from mutualctr.config import NetworkConfig
from mutualctr.errors import ConfigError
from mutualctr.files import replacing
from mutualctr.reference import Blocks

WEIGHTS = "weights.safetensors"
CARD = "checkpoint.json"
Arm = Literal["pretrained", "control", "mutual"]


class Checkpoint(Closed):
    """What one needs, beside the weights, to build the peer again and to know where it is from."""

    arm: Arm
    architecture: str
    options: dict[str, Any]
    seed: int
    """Seed of the initialisation and of the pretraining order."""
    network: NetworkConfig
    sequences: tuple[Sequence, ...] = ()
    """Where sequences lie among the columns of ids; of use to architectures that read them."""
    num_ids: int
    num_fields: int
    embeddings: Precision = "fp32"
    """How the table is kept; checkpoints from before there was a choice do not say."""
    start: Start | None = None
    """Whose weights pretraining began with; None where it began from its seed."""
    unfit: Start | None = None
    """Whose weights it was to begin with and could not."""
    curve: list[dict[str, float]]
    """One record per epoch of the phase that made these weights."""

    @property
    def began(self) -> str:
        """`champion ctr/12`, or `fresh` and, where that was not asked for, why."""
        if self.start is not None:
            return f"champion {self.start.champion}"
        return f"fresh, because {self.unfit.version} does not fit" if self.unfit else "fresh"

    def build_model(self) -> ClickModel:
        """A fresh model of this shape; the caller seeds torch.

        Raises ConfigError where the architecture cannot be built for this network and data.
        """
        try:
            model = build(
                self.architecture,
                num_ids=self.num_ids,
                num_fields=self.num_fields,
                embedding_dim=self.network.embedding_dim,
                hidden=self.network.hidden,
                dropout=self.network.dropout,
                sequences=self.sequences,
                **self.options,
            )
        except ValueError as error:
            raise ConfigError(f"peer {self.architecture}: {error}") from error
        if self.embeddings != "fp32":
            model.embedding = CompactEmbedding(model.embedding, self.embeddings)
        return model


def compacted(
    checkpoint: Checkpoint, model: ClickModel, precision: Precision
) -> tuple[Checkpoint, ClickModel]:
    """The peer with its table kept in fewer bytes; `model` itself stays as it is."""
    card = checkpoint.model_copy(update={"embeddings": precision})
    compact = checkpoint.build_model()
    compact.load_state_dict(model.state_dict())
    if precision != "fp32":
        compact.embedding = CompactEmbedding(compact.embedding, precision)
    return card, compact


def sequences_of(blocks: Blocks) -> tuple[Sequence, ...]:
    """Where the blocks' sequences lie, as models are told."""
    return tuple(
        Sequence(layout.start, layout.length, layout.target, layout.padding_id)
        for layout in blocks.sequences
    )


def save(folder: Path, checkpoint: Checkpoint, model: ClickModel) -> None:
    """Write weights and card; each file is whole or absent."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    with replacing(folder / WEIGHTS) as temporary:
        safetensors.torch.save_file(state, temporary)
    with replacing(folder / CARD) as temporary:
        temporary.write_text(checkpoint.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_card(folder: Path) -> Checkpoint:
    """The card alone, without building the model."""
    return Checkpoint.model_validate(json.loads((folder / CARD).read_text(encoding="utf-8")))


def load(folder: Path) -> tuple[Checkpoint, ClickModel]:
    """Rebuild the peer with its weights."""
    checkpoint = read_card(folder)
    model = checkpoint.build_model()
    model.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    return checkpoint, model
