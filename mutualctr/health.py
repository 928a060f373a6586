"""Is this installation able to run a step? What the image's HEALTHCHECK asks."""

import os
import tempfile
from pathlib import Path

import torch

from models.registry import ARCHITECTURES, build, reads_sequences
from mutualctr.data.contract_file import CONTRACTS, load_contract
from mutualctr.errors import StackError


def check_health() -> str:
    """Forward a batch through every plain architecture, read every contract, find room to write.

    Returns one line about what was found; raises StackError where a folder cannot be written.
    """
    contracts = [path.stem for path in sorted(CONTRACTS.glob("*.yaml"))]
    for name in contracts:
        load_contract(name)
    ids_BF = torch.arange(12).view(4, 3)
    plain = [name for name in ARCHITECTURES if not reads_sequences(name)]
    for architecture in plain:
        model = build(
            architecture, num_ids=12, num_fields=3, embedding_dim=4, hidden=(8,), dropout=0.0
        )
        assert torch.isfinite(model(ids_BF)).all(), architecture
    for folder in (Path.home(), Path(tempfile.gettempdir())):
        if not os.access(folder, os.W_OK):
            raise StackError(f"{folder} cannot be written; mount a volume there.")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return (
        f"healthy: torch {torch.__version__}, {gpus} GPUs, {len(plain)} architectures, "
        f"contracts {', '.join(contracts)}"
    )
