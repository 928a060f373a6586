"""All questions about data, one answer: outputs/bench/data.json.

    make bench-data              preparing rows, and the contract
    make bench-data ROWS=5000000 the question of size

Each question is a file with `measure()`; this one writes what they return under its name and
leaves the answers of other runs as they are. `scale` has one entry for each number of rows.
"""

import argparse
import importlib
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.hardware import hardware
from mutualctr.files import replacing

OUTPUT = Path("outputs/bench/data.json")
CONTRACT_ROWS = 500_000


def main() -> None:
    """Answer what was asked and print where the answers are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale-rows", type=int)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    given = parser.parse_args()
    answers = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.exists() else {}
    if given.scale_rows:
        entry = _asked("bench_scale", given.scale_rows, given.folder)
        others = [old for old in answers.get("scale", []) if old["rows"] != given.scale_rows]
        answers["scale"] = sorted([*others, entry], key=lambda one: one["rows"])
    else:
        bench_data = importlib.import_module("benchmarks.bench_data")
        answers["prepare"] = _asked("bench_data", 500_000, bench_data.FUXICTR)
        answers["contract"] = _asked("bench_contract", CONTRACT_ROWS)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    with replacing(OUTPUT) as temporary:
        temporary.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
    print(f"{OUTPUT}: {', '.join(answers)}")


def _asked(question: str, *arguments: Any) -> dict[str, Any]:
    """The answer, with the command and the hardware it was given on."""
    answer = importlib.import_module(f"benchmarks.{question}").measure(*arguments)
    return answer | {"command": shlex.join(sys.orig_argv[1:]), "hardware": hardware()}


if __name__ == "__main__":
    main()
