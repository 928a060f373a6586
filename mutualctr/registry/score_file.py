"""Run as a program: score a Parquet file of raw rows with a registered version.

    python score_file.py MODEL_URI ROWS.parquet OUT.npy CALLS ROWS_OF_A_CALL BULK

It imports nothing of this library, so that what answers is the code the version carries, in a
process that knows nothing but the registry. BULK 0 goes through MLflow's own predict, as a server
does; BULK 1 past its check of every value, which is most of the time for many rows. OUT gets one
float64 per row; the last line printed is JSON: load_s and, where CALLS > 0, p50_ms and p99_ms.
"""

import json
import sys
import time

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

WARM_UP_CALLS = 5


def main(uri: str, rows_file: str, out: str, calls: int, call_rows: int, bulk: bool) -> None:
    """Score, measure, write."""
    started = time.perf_counter()
    model = mlflow.pyfunc.load_model(uri)
    figures = {"load_s": time.perf_counter() - started}
    predict = model.predict
    if bulk:
        inner = model.unwrap_python_model()
        predict = lambda frame: inner.predict(None, frame)  # noqa: E731
    frames, scored = [], []
    with pq.ParquetFile(rows_file) as file:
        for batch in file.iter_batches(1 << 16):
            frame = batch.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
            frames = frames or [frame]
            scored.append(predict(frame))
    np.save(out, np.concatenate(scored), allow_pickle=False)
    if calls:
        figures |= latency(model.predict, frames[0], calls, call_rows)
    print(json.dumps(figures))


def latency(predict, frame: pd.DataFrame, calls: int, call_rows: int) -> dict[str, float]:
    """Median and 99th percentile of a call, each with other rows."""
    taken = []
    for call in range(WARM_UP_CALLS + calls):
        start = call * call_rows % max(len(frame) - call_rows, 1)
        part = frame.iloc[start : start + call_rows]
        began = time.perf_counter()
        predict(part)
        taken.append(1000 * (time.perf_counter() - began))
    p50, p99 = np.percentile(taken[WARM_UP_CALLS:], (50, 99))
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6] == "1")
