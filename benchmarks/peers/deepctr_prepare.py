"""The recipe of DeepCTR-Torch's README (run_classification_criteo) on a raw Criteo file.

    python deepctr_prepare.py FILE

Categories through scikit-learn's LabelEncoder, numbers through MinMaxScaler, a train_test_split and
the dictionaries a model takes. It keeps no vocabulary and writes nothing. Prints the seconds.
"""

import sys
import time

import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, MinMaxScaler

NUMBERS = [f"I{i}" for i in range(1, 14)]
CATEGORIES = [f"C{i}" for i in range(1, 27)]


def prepare(path: str) -> tuple[dict, dict]:
    data = pd.read_csv(path, sep="\t", names=["label", *NUMBERS, *CATEGORIES])
    data[CATEGORIES] = data[CATEGORIES].fillna("-1")
    data[NUMBERS] = data[NUMBERS].fillna(0)
    for name in CATEGORIES:
        data[name] = LabelEncoder().fit_transform(data[name].astype(str))
    data[NUMBERS] = MinMaxScaler(feature_range=(0, 1)).fit_transform(data[NUMBERS])
    train, test = train_test_split(data, test_size=0.2, random_state=2020)
    fields = NUMBERS + CATEGORIES
    return {name: train[name] for name in fields}, {name: test[name] for name in fields}


if __name__ == "__main__":
    start = time.perf_counter()
    prepare(sys.argv[1])
    print(time.perf_counter() - start)
