"""A warm start by hand: rows move with their tokens, everything else stays fresh."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mutualctr.config import NetworkConfig
from mutualctr.data.contract import Feature
from mutualctr.data.features import RESERVED, FeatureMap, Field
from mutualctr.errors import ConfigError
from mutualctr.training import checkpoint
from mutualctr.training.warm_start import ABSENT, Carried, old_rows, warm_start


def feature_map(*vocabularies: list[str]) -> FeatureMap:
    fields = []
    for number, tokens in enumerate(vocabularies):
        feature = Feature(name=f"C{number}", column=f"C{number}", transform="category")
        counts = pa.array([1] * len(tokens), pa.int64())
        fields.append(Field(feature, "text", pa.array(tokens, pa.string()), counts))
    return FeatureMap(tuple(fields), min_count=1)


OLD = feature_map(["a", "b"], ["x", "y", "z"])
NEW = feature_map(["b", "c", "a"], ["z"])


def card(num_ids: int, hidden: tuple[int, ...] = (4,)) -> checkpoint.Checkpoint:
    return checkpoint.Checkpoint(
        arm="mutual",
        architecture="deepfm",
        options={},
        seed=1,
        network=NetworkConfig(embedding_dim=2, hidden=hidden, dropout=0.0),
        num_ids=num_ids,
        num_fields=2,
        curve=[],
    )


def test_rows_by_hand():
    # Old: 0-2 reserved, 3 a, 4 b; 5-7 reserved, 8 x, 9 y, 10 z.
    # New: 0-2 reserved, 3 b, 4 c, 5 a; 6-8 reserved, 9 z.
    assert old_rows(OLD, NEW).tolist() == [0, 1, 2, 4, ABSENT, 3, 5, 6, 7, 10]


def test_weights_come_over_and_a_new_token_stays_fresh(tmp_path):
    torch.manual_seed(1)
    old = card(OLD.num_ids).build_model()
    checkpoint.save(tmp_path, card(OLD.num_ids), old)
    torch.manual_seed(2)
    model = card(NEW.num_ids).build_model()
    before = model.table.detach().clone()
    carried = warm_start(model, card(NEW.num_ids), tmp_path, OLD, NEW)
    assert carried == Carried(known=9, fresh=1)
    for new_row, old_row in enumerate(old_rows(OLD, NEW)):
        expected = before[new_row] if old_row == ABSENT else old.table[old_row]
        assert torch.equal(model.table[new_row], expected), new_row
    for ours, theirs in zip(model.dense_parameters(), old.dense_parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_same_row_gets_the_same_logit(tmp_path):
    """(a, z) is known to both: the model answers as before although every id has moved."""
    old = card(OLD.num_ids).build_model()
    checkpoint.save(tmp_path, card(OLD.num_ids), old)
    model = card(NEW.num_ids).build_model()
    warm_start(model, card(NEW.num_ids), tmp_path, OLD, NEW)
    row = pa.table({"C0": ["a"], "C1": ["z"]})
    before, after = (
        m.eval()(torch.from_numpy(fm.encode_table(row))) for m, fm in ((old, OLD), (model, NEW))
    )
    assert torch.equal(before, after)


tokens = st.lists(st.text("abcdef", min_size=1, max_size=2), unique=True, max_size=8)


@given(tokens, tokens, tokens, tokens)
def test_rows_agree_with_a_plain_loop(old_0, old_1, new_0, new_1):
    old, new = feature_map(old_0, old_1), feature_map(new_0, new_1)
    expected = []
    for f, vocabulary in enumerate((new_0, new_1)):
        start = int(old.offset_F[f])
        expected += [start, start + 1, start + 2]
        before = (old_0, old_1)[f]
        expected += [
            start + RESERVED + before.index(t) if t in before else ABSENT for t in vocabulary
        ]
    assert np.array_equal(old_rows(old, new), expected)


def test_another_network_is_refused(tmp_path):
    checkpoint.save(tmp_path, card(OLD.num_ids), card(OLD.num_ids).build_model())
    other = card(NEW.num_ids, hidden=(8,))
    with pytest.raises(ConfigError, match="the same network"):
        warm_start(other.build_model(), other, tmp_path, OLD, NEW)


def test_other_fields_are_refused():
    with pytest.raises(ConfigError, match="same fields"):
        old_rows(OLD, feature_map(["a"]))
