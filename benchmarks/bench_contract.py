"""How fast is the Criteo contract, and does it find what Great Expectations on pandas finds?

    python benchmarks/bench_contract.py [--rows 500000]

Generated rows with planted defects are validated twice in this process: by `validate()` (the whole
of it: Great Expectations inside DuckDB on the Parquet files, and the offending rows), and by
Great Expectations on a pandas frame with the same suite in stock expectations. Reading the frame
is not counted against pandas. Verdicts and unexpected counts must be equal one by one.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mutualctr.data.contract import Contract
from mutualctr.data.contract_file import load_contract
from mutualctr.data.events import ingest
from mutualctr.data.suite import suite_of
from mutualctr.data.synthetic import generate_criteo
from mutualctr.data.validation import validate

REPETITIONS = 3
DEFECT_SHARE = 1e-3


def measure(rows: int) -> dict[str, Any]:
    """The figures of outputs/bench/data.json below `contract`."""
    contract = load_contract("criteo")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generate_criteo(folder / "clicks.tsv", rows, seed=5)
        files = ingest(folder / "clicks.tsv", contract, folder).files
        for path in files.glob("*.parquet"):
            _plant_defects(path)
        ours, ours_cpu = [], []
        for _ in range(REPETITIONS):
            start, cpu_start = time.perf_counter(), time.process_time()
            report = validate(files, contract)
            ours.append(time.perf_counter() - start)
            ours_cpu.append(time.process_time() - cpu_start)
        frame = pq.read_table(files).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
        start, cpu_start = time.perf_counter(), time.process_time()
        peer = verdicts_on_pandas(frame, contract)
        theirs, theirs_cpu = time.perf_counter() - start, time.process_time() - cpu_start
    found = [(result.success, result.unexpected_count) for result in report.results]
    return {
        "expectations": len(found),
        "rows": rows,
        "failed": sum(not success for success, _ in found),
        "unexpected": sum(count for _, count in found),
        "verdicts_equal": found == peer,
        "seconds": {"mutualctr": ours, "gx_pandas": theirs},
        "cpu_seconds": {"mutualctr": ours_cpu, "gx_pandas": theirs_cpu},
        "rows_per_s": rows / float(np.median(ours)),
        "ratio_gx_pandas": theirs / float(np.median(ours)),
    }


def verdicts_on_pandas(frame: pd.DataFrame, contract: Contract) -> list[tuple[bool, int]]:
    """(success, unexpected count) of each expectation by Great Expectations' pandas engine."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    outcome = batch.validate(suite_of(contract, "plain"), result_format="SUMMARY").results
    numbered = {result.expectation_config.meta["number"]: result for result in outcome}
    return [
        (numbered[n].success, numbered[n].result.get("unexpected_count") or 0)
        for n in range(len(contract.expectations))
    ]


def _plant_defects(path: Path) -> None:
    """Labels of 2, negative counts, tokens in capitals, too long and too short."""
    table, draw = pq.read_table(path), np.random.default_rng(11)
    tokens = {"C1": "ABCDEF01", "C2": "0123abcde", "C14": "0123abc", "C26": "x"}
    defects = {"label": 2, "I3": -7, "I9": -1, **tokens}
    for name, value in defects.items():
        hit = pa.array(draw.random(table.num_rows) < DEFECT_SHARE)
        spoiled = pa.compute.if_else(hit, pa.scalar(value, table[name].type), table[name])
        table = table.set_column(table.column_names.index(name), name, spoiled)
    pq.write_table(table, path, compression="zstd", row_group_size=1 << 18)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500_000)
    print(json.dumps(measure(parser.parse_args().rows), indent=1))
