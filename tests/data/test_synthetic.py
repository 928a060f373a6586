"""Generated clicks: the contract holds, the ceiling is known, the seed decides the bytes."""

from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mutualctr.data.contract_file import load_contract
from mutualctr.data.events import ingest
from mutualctr.data.synthetic import CATEGORIES, NUMBERS, generate_criteo
from mutualctr.data.tokens import TRANSFORMS
from mutualctr.data.validation import validate

ROWS = 30_000
CRITEO = load_contract("criteo")


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    ceiling_auc = generate_criteo(folder / "clicks.tsv", ROWS, seed=5)
    events = ingest(folder / "clicks.tsv", CRITEO, folder).files
    return folder, ceiling_auc, events


def test_the_contract_holds_without_a_warning(generated):
    report = validate(generated[2], CRITEO)
    assert report.rows == ROWS
    assert report.verdict == "accepted"


def test_the_shape_is_criteos(generated):
    table = pq.read_table(generated[2])
    clicks = np.mean(table["label"].to_numpy())
    assert 0.22 < clicks < 0.28
    assert table["I2"].to_numpy().min() == -2
    for name, share in zip(
        CRITEO.columns[1:],
        [entry[2] for entry in NUMBERS] + [entry[1] for entry in CATEGORIES],
        strict=True,
    ):
        assert abs(table[name.name].null_count / ROWS - share) < 0.02, name
    distinct = [len(table[f"C{c}"].unique()) for c in range(1, 27)]
    assert min(distinct) < 6
    assert max(distinct) > 4000
    counts = Counter(table["C3"].drop_null().to_pylist()).most_common()
    assert counts[0][1] > 50 * counts[len(counts) // 2][1]  # a few tokens have most rows


def test_the_ceiling_is_where_it_should_be(generated):
    assert 0.78 < generated[1] < 0.83
    assert 0.78 < generate_criteo(generated[0] / "other.tsv", ROWS, seed=6) < 0.83


def test_hashed_logistic_regression_learns_but_stays_below_the_ceiling(generated):
    table = pq.read_table(generated[2])
    columns = [
        TRANSFORMS[feature.transform](table[feature.column].combine_chunks()).to_pylist()
        for feature in CRITEO.features(None)
    ]
    tokens = ([f"{f}={token}" for f, token in enumerate(row)] for row in zip(*columns, strict=True))
    hashed = FeatureHasher(1 << 16, input_type="string").transform(tokens)
    label_B = table["label"].to_numpy()
    train, test = slice(0, 24_000), slice(24_000, ROWS)
    model = LogisticRegression(C=0.05, max_iter=60).fit(hashed[train], label_B[train])
    test_auc = roc_auc_score(label_B[test], model.decision_function(hashed[test]))
    assert 0.63 < test_auc < generated[1] - 0.02


def test_the_bytes_depend_on_the_seed_alone(tmp_path):
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate_criteo(tmp_path / name, 2000, seed)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]
    assert contents[0].count(b"\n") == 2000
    assert {line.count(b"\t") for line in contents[0].splitlines()} == {39}
