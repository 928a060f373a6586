import numpy as np
import pyarrow as pa
import pytest

from mutualctr.errors import DataError
from mutualctr.evaluation.auc import auc
from mutualctr.evaluation.baseline import HASH_BITS, _buckets, _one_hot, hashed_logistic_regression
from mutualctr.evaluation.calibration import logloss


def clicks(rows, seed):
    """Two fields: `site` decides the odds, `noise` does not; every tenth site is missing."""
    draw = np.random.default_rng(seed)
    site = draw.integers(0, 4, rows)
    label = (draw.random(rows) < np.array([0.1, 0.3, 0.5, 0.8])[site]).astype(np.int8)
    names = [None if draw.random() < 0.1 else f"s{value}" for value in site]
    noise = [str(value) for value in draw.integers(0, 50, rows)]
    return [("site", pa.array(names)), ("noise", pa.array(noise))], label


def test_finds_what_there_is_to_find():
    (train, train_label), (test, test_label) = clicks(4000, 0), clicks(2000, 1)
    found = hashed_logistic_regression(train, train_label, test, test_label)
    assert set(found) == {"auc", "logloss", "rows", "hash_bits", "method", "probability"}
    assert found["rows"] == 4000
    assert found["auc"] == auc(test_label, found["probability"]) > 0.72
    assert found["logloss"] == logloss(test_label, found["probability"])
    site = np.array(test[0][1].to_pylist(), dtype=object)
    mean = {name: found["probability"][site == name].mean() for name in ("s0", "s1", "s2", "s3")}
    assert mean["s0"] < mean["s1"] < mean["s2"] < mean["s3"]


def test_same_input_same_bits():
    train, label = clicks(500, 0)
    one, two = (hashed_logistic_regression(train, label, train, label) for _ in range(2))
    np.testing.assert_array_equal(one["probability"], two["probability"])
    assert one["method"] == two["method"]


def test_scores_as_the_model_would_score_a_sparse_row():
    # Summing weights field by field is the same as scikit-learn on the CSR matrix of test rows.
    from scipy.special import logit
    from sklearn.linear_model import LogisticRegression

    train, label = clicks(800, 0)
    test, test_label = clicks(100, 1)
    found = hashed_logistic_regression(train, label, test, test_label)
    matrix = [_one_hot(np.stack([_buckets(*field) for field in part], 1)) for part in (train, test)]
    model = LogisticRegression(C=0.1, max_iter=500).fit(matrix[0], label == 1)
    np.testing.assert_allclose(logit(found["probability"]), model.decision_function(matrix[1]))


def test_the_row_cap_strides_evenly_and_says_so():
    train, label = clicks(1000, 0)
    capped = hashed_logistic_regression(train, label, train, label, max_train_rows=250)
    every_fourth = [(name, tokens.take(np.arange(0, 1000, 4))) for name, tokens in train]
    by_hand = hashed_logistic_regression(every_fourth, label[::4], train, label)
    assert capped["rows"] == 250
    assert "250 of 1000 train rows, evenly strided" in capped["method"]
    np.testing.assert_array_equal(capped["probability"], by_hand["probability"])


def test_layout_of_the_strings_does_not_matter():
    tokens = pa.array(["a", None, "b", "a", "c"])
    with_null = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, 0, 3], pa.int8()), pa.array(["a", None, "b", "c"])
    )
    layouts = [
        tokens.cast(pa.large_string()),
        tokens.dictionary_encode(),
        with_null,
        pa.chunked_array([tokens.slice(0, 2), tokens.slice(2)]),
        pa.chunked_array([tokens.slice(0, 2).dictionary_encode(), tokens[2:].dictionary_encode()]),
    ]
    expected = _buckets("f", tokens)
    assert len(set(expected)) == 4
    assert expected[0] == expected[3]
    for layout in layouts:
        np.testing.assert_array_equal(_buckets("f", layout), expected)


def test_narrow_indices_have_room_for_a_missing_token():
    # 128 tokens fill int8, so that 128 for "missing" needs a wider index
    names = [f"t{n}" for n in range(128)]
    narrow = pa.DictionaryArray.from_arrays(pa.array([0, None, 127], pa.int8()), pa.array(names))
    np.testing.assert_array_equal(_buckets("f", narrow), _buckets("f", narrow.cast(pa.string())))


def test_field_token_and_missing_make_the_feature():
    one = _buckets("f", pa.array(["a", "", "f", None]))
    assert len(set(one)) == 4  # empty, spelt like the field, and missing are three things
    assert not set(one) & set(_buckets("g", pa.array(["a", "", "f", None])))
    assert one.max() < 2**HASH_BITS


def test_the_hash_is_pinned():
    # Another pandas or another key would move every published floor: this must not change quietly.
    assert _buckets("site", pa.array(["a", None])).tolist() == [160549, 71534]


def test_two_fields_in_one_bucket_add_up():
    matrix = _one_hot(np.array([[3, 3], [1, 3]], dtype=np.int32))
    assert matrix[:, :4].toarray().tolist() == [[0, 0, 0, 2], [0, 1, 0, 1]]


def test_a_token_unseen_in_train_is_the_intercept_alone():
    train, label = clicks(500, 0)
    test = [("site", pa.array(["never", "s3"])), ("noise", pa.array(["never", "never"]))]
    found = hashed_logistic_regression(train, label, test, np.array([0, 1]))
    assert 0.2 < found["probability"][0] < found["probability"][1]


def test_a_number_is_refused():
    train, label = clicks(50, 0)
    with pytest.raises(DataError, match="field age holds int64"):
        hashed_logistic_regression([("age", pa.array(range(50)))], label, train, label)


def test_rows_must_match_labels():
    train, label = clicks(50, 0)
    with pytest.raises(DataError, match="field site has 50 rows, but there are 49"):
        hashed_logistic_regression(train, label[1:], train, label)


def test_fields_must_match():
    train, label = clicks(50, 0)
    with pytest.raises(DataError, match="but test has"):
        hashed_logistic_regression(train, label, train[::-1], label)


def test_one_class_is_refused():
    train, label = clicks(50, 0)
    with pytest.raises(DataError, match="needs clicks"):
        hashed_logistic_regression(train, np.zeros(50), train, label)
