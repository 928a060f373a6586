"""Our own side: a raw Criteo file to events, split, vocabulary and blocks on the disk.

    python mutualctr_prepare.py FILE FOLDER

What the steps ingest, split and encode call, digests included. Prints the seconds.
"""

import shutil
import sys
import time
from pathlib import Path

from mutualctr.config import FeatureConfig, SplitConfig
from mutualctr.data import prepare
from mutualctr.data.contract_file import load_contract
from mutualctr.data.events import ingest
from mutualctr.data.split import split
from mutualctr.reference import Events, Split

MIN_COUNT = 10


def run(path: Path, folder: Path) -> None:
    contract = load_contract("criteo")
    info = ingest(path, contract, folder / "events")
    events = Events.of(
        folder / "events", source=path.name, source_sha256=info.sha256, rows=info.rows
    )
    config = SplitConfig(by="random", seed=1)
    rows = split(events.files, contract, config, folder / "split")
    parts = Split.of(folder / "split", **{f"{part}_rows": n for part, n in rows.items()})
    features = FeatureConfig(min_count=MIN_COUNT)
    prepare.encode_events(events, parts, contract, None, features, "local", folder / "blocks")


if __name__ == "__main__":
    work = Path(sys.argv[2])
    shutil.rmtree(work, ignore_errors=True)
    for stage in ("events", "split", "blocks"):
        (work / stage).mkdir(parents=True)
    start = time.perf_counter()
    run(Path(sys.argv[1]), work)
    print(time.perf_counter() - start)
