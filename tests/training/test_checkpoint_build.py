"""A checkpoint builds its peer again, sequences included, or says why it cannot."""

import pytest
import torch
from worlds import NUM_IDS, SEQUENCES, SIZES

from models.registry import ARCHITECTURES
from mutualctr.config import NetworkConfig
from mutualctr.errors import ConfigError
from mutualctr.training import checkpoint


def card(architecture: str, **fields) -> checkpoint.Checkpoint:
    shape = {
        "arm": "pretrained",
        "options": {},
        "seed": 1,
        "network": NetworkConfig(embedding_dim=4, hidden=(8, 5), dropout=0.0),
        "num_ids": NUM_IDS,
        "num_fields": len(SIZES),
        "sequences": SEQUENCES,
        "curve": [],
    }
    return checkpoint.Checkpoint(architecture=architecture, **(shape | fields))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_saved_peer_comes_back(architecture, tmp_path):
    saved = card(architecture)
    model = saved.build_model()
    checkpoint.save(tmp_path, saved, model)
    found, other = checkpoint.load(tmp_path)
    assert found == saved
    ids_BF = torch.stack([torch.arange(5) % size for size in SIZES], dim=1)
    assert torch.equal(other(ids_BF), model(ids_BF))


def test_says_why_a_peer_cannot_be_built():
    with pytest.raises(ConfigError, match="peer din: din reads sequences and the data has none"):
        card("din", sequences=()).build_model()
    with pytest.raises(ConfigError, match="peer finalmlp: heads is 3"):
        card("finalmlp", options={"heads": 3}).build_model()
