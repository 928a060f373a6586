"""The floor under every number: logistic regression on hashed tokens, no embeddings."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from mutualctr.errors import DataError
from mutualctr.evaluation.auc import auc, clicks
from mutualctr.evaluation.calibration import logloss

HASH_BITS = 18
HASH_KEY = "mutualctr-floor0"  # sixteen characters; another key is another baseline
MAX_TRAIN_ROWS = 500_000
INVERSE_PENALTY = 0.1
MAX_ITERATIONS = 500

Tokens = Iterable[tuple[str, pa.Array | pa.ChunkedArray]]


def hashed_logistic_regression(
    train_tokens: Tokens,
    train_label: np.ndarray,
    test_tokens: Tokens,
    test_label: np.ndarray,
    max_train_rows: int = MAX_TRAIN_ROWS,
) -> dict:
    """Fit P(click) = σ(w₀ + Σ_f w[hash("f=token") mod 2^HASH_BITS]) and score the test rows.

    Tokens are (field, strings) pairs, one per field, the same fields in the same order for both
    splits; strings may be dictionary-encoded; a null is a missing value and a feature of its own.
    At most max_train_rows are used, evenly strided over train. One field is held at a time.
    Deterministic: the hash has a fixed key, the solver draws nothing.

    Returns auc, logloss, rows (trained on), hash_bits, method (one sentence), probability (test).
    Raises: DataError where fields differ, a field is not of strings or has another number of rows
    than the labels, or a label is not 0 or 1 with both present.
    """
    kept = _strided(len(train_label), max_train_rows)
    label_B = clicks(np.asarray(train_label)[kept])
    fields, buckets = [], []
    for field, tokens in train_tokens:
        fields.append(field)
        buckets.append(_buckets(field, _checked(field, tokens, len(train_label)).take(kept)))
    bucket_BF = np.stack(buckets, axis=1)
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS)
    model.fit(_one_hot(bucket_BF), label_B)

    weight_V = model.coef_[0]
    logit_B = np.full(len(test_label), model.intercept_[0])
    test_fields = []
    for field, tokens in test_tokens:
        test_fields.append(field)
        logit_B += weight_V[_buckets(field, _checked(field, tokens, len(test_label)))]
    if test_fields != fields:
        raise DataError(
            f"the baseline was trained on fields {fields}, but test has {test_fields}; "
            "both splits must have the contract's fields in its order."
        )
    probability_B = expit(logit_B)
    return {
        "auc": auc(test_label, probability_B),
        "logloss": logloss(test_label, probability_B),
        "rows": len(label_B),
        "hash_bits": HASH_BITS,
        "method": f"logistic regression on 2^{HASH_BITS} hashed field=token features, L2 with "
        f"C = {INVERSE_PENALTY}, {model.n_iter_[0]} L-BFGS iterations, trained on "
        f"{len(label_B)} of {len(train_label)} train rows, evenly strided.",
        "probability": probability_B,
    }


def _strided(rows: int, at_most: int) -> np.ndarray:
    kept = min(rows, at_most)
    return np.arange(kept, dtype=np.int64) * rows // max(kept, 1)


def _checked(field: str, tokens: pa.Array | pa.ChunkedArray, rows: int):
    kind = tokens.type.value_type if pa.types.is_dictionary(tokens.type) else tokens.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"field {field} holds {kind}, but the baseline hashes strings; cast it.")
    if len(tokens) != rows:
        raise DataError(
            f"field {field} has {len(tokens)} rows, but there are {rows} labels; "
            "read both from the same split."
        )
    return tokens


def _buckets(field: str, tokens: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Each row's feature. Only distinct tokens are hashed; a missing one is "f" without "="."""
    if isinstance(tokens, pa.ChunkedArray):
        tokens = tokens.unify_dictionaries().combine_chunks()
    encoded = tokens.dictionary_encode()
    distinct = encoded.dictionary.cast(pa.large_string())
    prefix = pa.scalar(f"{field}=", pa.large_string())
    joint = pa.scalar("", pa.large_string())
    named = pc.binary_join_element_wise(prefix, distinct, joint).fill_null(field)
    text = np.append(named.to_numpy(zero_copy_only=False), np.array([field], dtype=object))
    hash_V = pd.util.hash_array(text, hash_key=HASH_KEY, categorize=False)
    position_B = encoded.indices.cast(pa.int64()).fill_null(len(distinct)).to_numpy()
    return (hash_V % 2**HASH_BITS).astype(np.int32)[position_B]


def _one_hot(bucket_BF: np.ndarray) -> csr_matrix:
    """One row per event with F ones; two fields in one bucket add up, as their weights do."""
    rows, fields = bucket_BF.shape
    ends = np.arange(rows + 1, dtype=np.int64) * fields
    ones = np.ones(bucket_BF.size)
    return csr_matrix((ones, bucket_BF.ravel(), ends), shape=(rows, 2**HASH_BITS))
