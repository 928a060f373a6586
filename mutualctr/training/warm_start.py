"""Starting where an earlier model ended, although the vocabulary has moved on.

Dense weights are copied. A row of the table is copied by what it stands for, (field, token), and
not by its number: numbers shift with every refit. Reserved rows (padding, missing, rare) stand for
themselves. A token the old vocabulary did not have keeps the fresh initialisation; one that the
new vocabulary no longer has is dropped. The state of the optimizer does not come over: Adam's
moments are of other rows and another rate, so it starts fresh, as it does for the mutual epoch.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pydantic import ValidationError

from models.base import ClickModel
from mutualctr.data import features
from mutualctr.data.features import RESERVED, FeatureMap
from mutualctr.errors import ConfigError, DataError
from mutualctr.training import checkpoint

ABSENT = -1


@dataclass(frozen=True)
class Earlier:
    """A trained peer with the feature map that its rows are numbered by."""

    checkpoint: Path
    features: Path

    def load(self) -> tuple[checkpoint.Checkpoint, ClickModel, FeatureMap]:
        """Raises ConfigError for files that this code cannot read any more."""
        try:
            return *checkpoint.load(self.checkpoint), features.load(self.features)
        except (DataError, ValidationError, KeyError, RuntimeError):
            raise ConfigError(
                "A warm start needs files that this mutualctr can read, and the earlier model is "
                "of another version; start fresh."
            ) from None


@dataclass(frozen=True)
class Carried:
    """What came over, in rows of the new table, the reserved ones included."""

    known: int
    fresh: int


def warm_start(
    model: ClickModel, card: checkpoint.Checkpoint, earlier: Earlier, new_map: FeatureMap
) -> Carried:
    """Overwrite a freshly initialised `model`, described by `card`, with what an old one knows.

    Raises ConfigError, and leaves the model as it is, where the two differ in architecture,
    options, network or fields: then there is no weight that means the same in both.
    """
    old_card, old_model, old_map = earlier.load()
    for name in ("architecture", "options", "network"):
        if getattr(old_card, name) != getattr(card, name):
            raise ConfigError(
                f"A warm start needs the same {name}: the earlier model has "
                f"{getattr(old_card, name)}, this run {getattr(card, name)}; start fresh."
            )
    old_row_V = old_rows(old_map, new_map)
    known_V = torch.from_numpy(old_row_V != ABSENT)
    source_K = torch.from_numpy(old_row_V[old_row_V != ABSENT])
    dense = {
        name: value for name, value in old_model.state_dict().items() if name != "embedding.weight"
    }
    with torch.no_grad():
        model.load_state_dict(dense | {"embedding.weight": model.table.detach()})
        model.table[known_V] = old_model.table[source_K]
    return Carried(known=int(known_V.sum()), fresh=int((~known_V).sum()))


def old_rows(old_map: FeatureMap, new_map: FeatureMap) -> np.ndarray:
    """int64 [V of the new map]: the old table's row of each new one, −1 where it has none.

    Raises ConfigError unless both maps have the same fields in the same order.
    """
    old_features, new_features = (
        ([field.feature for field in one.fields], one.sequence_features)
        for one in (old_map, new_map)
    )
    if old_features != new_features:
        raise ConfigError(
            "A warm start needs the same fields in the same order as the earlier model; start "
            "fresh after a change of the feature set."
        )
    row_V = np.full(new_map.num_ids, ABSENT, dtype=np.int64)
    starts = zip(old_map.offset_F.tolist(), new_map.offset_F.tolist(), strict=True)
    for old, new, (old_start, new_start) in zip(
        old_map.fields, new_map.fields, starts, strict=True
    ):
        row_V[new_start : new_start + RESERVED] = old_start + np.arange(RESERVED)
        found = pc.index_in(new.tokens_V, value_set=old.tokens_V)
        position_T = pc.fill_null(found, pa.scalar(ABSENT, pa.int32())).to_numpy()
        tokens = row_V[new_start + RESERVED : new_start + new.size]
        tokens[:] = np.where(position_T == ABSENT, ABSENT, old_start + RESERVED + position_T)
    return row_V
