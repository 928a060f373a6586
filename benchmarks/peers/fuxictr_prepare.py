"""FuxiCTR 2.3.10 prepares Criteo rows; runs in an environment of its own (it needs polars<2).

    python fuxictr_prepare.py build_dataset|direct FOLDER

FOLDER holds train.csv, valid.csv and test.csv with a header. `build_dataset` is its public entry
(it transforms through Ray); `direct` calls the same FeatureProcessor without Ray, which is what the
library did before and the faster of the two on a small machine. Prints the seconds.
"""

import logging
import os
import shutil
import sys
import time

os.environ["POLARS_MAX_THREADS"] = os.environ["OMP_NUM_THREADS"]
import polars as pl
from fuxictr.datasets.criteo import CustomizedFeatureProcessor
from fuxictr.preprocess import build_dataset

MIN_COUNT = 10
PARTS = ("train", "valid", "test")


def processor(folder: str) -> CustomizedFeatureProcessor:
    """As BARS configures criteo_x4_001: every number a bucket, every field a category."""
    numbers, categories = [f"I{i}" for i in range(1, 14)], [f"C{i}" for i in range(1, 27)]
    category = {"active": True, "type": "categorical"}
    return CustomizedFeatureProcessor(
        feature_cols=[
            {"name": numbers, "dtype": "float", "preprocess": "convert_to_bucket", "fill_na": 0}
            | category,
            {"name": categories, "dtype": "str", "fill_na": ""} | category,
        ],
        label_col={"name": "label", "dtype": "float"},
        dataset_id="criteo",
        data_root=f"{folder}/out/",
    )


def direct(folder: str) -> None:
    encoder = processor(folder)
    frames = {
        part: encoder.preprocess(encoder.read_data(f"{folder}/{part}.csv", data_format="csv"))
        for part in PARTS
    }
    encoder.fit(frames["train"], min_categr_count=MIN_COUNT)
    for part, frame in frames.items():
        rows = frame.collect()
        ids = encoder.transform({name: rows[name].to_numpy() for name in rows.columns})
        pl.DataFrame(ids).write_parquet(f"{folder}/out/criteo/{part}.parquet")


def through_ray(folder: str) -> None:
    build_dataset(
        processor(folder),
        **{f"{part}_data": f"{folder}/{part}.csv" for part in PARTS},
        min_categr_count=MIN_COUNT,
        data_format="csv",
    )


if __name__ == "__main__":
    logging.disable()
    way, given = {"build_dataset": through_ray, "direct": direct}[sys.argv[1]], sys.argv[2]
    shutil.rmtree(f"{given}/out", ignore_errors=True)
    start = time.perf_counter()
    way(given)
    print(time.perf_counter() - start)
