"""A warm start by hand: rows move with their tokens, everything else stays fresh."""

import numpy as np
import pyarrow as pa
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from worlds import SILENT, optimizer_config

from models.base import ClickModel
from mutualctr.cohort import PeerSpec, Start
from mutualctr.config import NetworkConfig, PretrainConfig
from mutualctr.data.contract import Feature
from mutualctr.data.features import RESERVED, FeatureMap, Field
from mutualctr.errors import ConfigError
from mutualctr.reference import Blocks
from mutualctr.training import arms, checkpoint
from mutualctr.training.warm_start import ABSENT, Carried, Earlier, old_rows, warm_start


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


def earlier_peer(folder, model, old_card=None) -> Earlier:
    """The old peer's files."""
    checkpoint.save(folder / "old", old_card or card(OLD.num_ids), model)
    OLD.save(folder / "old features")
    return Earlier(folder / "old", folder / "old features")


def test_rows_by_hand():
    # Old: 0-2 reserved, 3 a, 4 b; 5-7 reserved, 8 x, 9 y, 10 z.
    # New: 0-2 reserved, 3 b, 4 c, 5 a; 6-8 reserved, 9 z.
    assert old_rows(OLD, NEW).tolist() == [0, 1, 2, 4, ABSENT, 3, 5, 6, 7, 10]


def test_weights_come_over_and_a_new_token_stays_fresh(tmp_path):
    torch.manual_seed(1)
    old = card(OLD.num_ids).build_model()
    earlier = earlier_peer(tmp_path, old)
    torch.manual_seed(2)
    model = card(NEW.num_ids).build_model()
    before = model.table.detach().clone()
    carried = warm_start(model, card(NEW.num_ids), earlier, NEW)
    assert carried == Carried(known=9, fresh=1)
    for new_row, old_row in enumerate(old_rows(OLD, NEW)):
        expected = before[new_row] if old_row == ABSENT else old.table[old_row]
        assert torch.equal(model.table[new_row], expected), new_row
    for ours, theirs in zip(model.dense_parameters(), old.dense_parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_same_row_gets_the_same_logit(tmp_path):
    """(a, z) is known to both: the model answers as before although every id has moved."""
    old = card(OLD.num_ids).build_model()
    model = card(NEW.num_ids).build_model()
    warm_start(model, card(NEW.num_ids), earlier_peer(tmp_path, old), NEW)
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
    earlier = earlier_peer(tmp_path, card(OLD.num_ids).build_model())
    other = card(NEW.num_ids, hidden=(8,))
    with pytest.raises(ConfigError, match="the same network"):
        warm_start(other.build_model(), other, earlier, NEW)


@pytest.mark.parametrize("spoilt", ["old/weights.safetensors", "old features/features.json"])
def test_files_of_another_time_are_refused(tmp_path, spoilt):
    earlier = earlier_peer(tmp_path, card(OLD.num_ids).build_model())
    safetensors.torch.save_file({"another": torch.zeros(1)}, tmp_path / "old/weights.safetensors")
    if spoilt.endswith(".json"):
        (tmp_path / spoilt).write_text('{"format_version": 0}')
    with pytest.raises(ConfigError, match="files that this mutualctr can read"):
        warm_start(card(NEW.num_ids).build_model(), card(NEW.num_ids), earlier, NEW)


def test_other_fields_are_refused():
    with pytest.raises(ConfigError, match="same fields"):
        old_rows(OLD, feature_map(["a"]))


START = Start(champion="ctr/12", version="ctr-deepfm/31", key="mutual-1-2-3")


def pretrain(folder, start=None, hidden=(4,)) -> tuple[checkpoint.Checkpoint, ClickModel]:
    """One epoch at a rate that moves nothing: what comes out is what went in."""
    rows = 20
    ids_RF = np.stack([np.arange(rows) % 6, 6 + np.arange(rows) % 4], axis=1).astype(np.int32)
    label_R = (np.arange(rows) % 3 == 0).astype(np.uint8)
    for part in ("train", "dev"):
        (folder / "blocks" / part).mkdir(parents=True)
        np.save(folder / "blocks" / part / "ids.npy", ids_RF)
        np.save(folder / "blocks" / part / "label.npy", label_R)
        np.save(folder / "blocks" / part / "row.npy", np.arange(rows))
    NEW.save(folder / "blocks" / "features")
    blocks = Blocks.of(folder / "blocks", train_rows=rows, num_ids=NEW.num_ids, num_fields=2)
    optimizer = optimizer_config().model_copy(update={"l2_embedding": 0.0, "l2_mlp": 0.0})
    arms.pretrain_peer(
        blocks,
        PeerSpec(architecture="deepfm", seed=1, options={}),
        NetworkConfig(embedding_dim=2, hidden=hidden, dropout=0.0),
        optimizer,
        PretrainConfig(epochs=1, lr=1e-30),
        SILENT,
        folder / "new",
        start=start,
    )
    return checkpoint.load(folder / "new" / "0")


def test_pretraining_begins_with_the_weights_of_its_start(tmp_path, caplog):
    old = card(OLD.num_ids).build_model()
    with torch.no_grad():  # rows that say who they are: old row r holds r
        old.table[:] = torch.arange(OLD.num_ids)[:, None].float()
    with caplog.at_level("INFO"):
        made, model = pretrain(tmp_path, (START, earlier_peer(tmp_path, old)))
    # The new rows 0 … 9 are the old 0 1 2 4 – 3 5 6 7 10 (see test_rows_by_hand).
    np.testing.assert_allclose(
        model.table[[0, 1, 2, 3, 5, 6, 7, 8, 9], 0].detach(),
        [0, 1, 2, 4, 3, 5, 6, 7, 10],
        atol=1e-20,
    )
    assert model.table[4].abs().max() < 0.01
    for ours, theirs in zip(model.dense_parameters(), old.dense_parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert (made.start, made.unfit, made.began) == (START, None, "champion ctr/12")
    assert "ctr-deepfm/31 of champion ctr/12: 9 rows of the table are known, 1" in caplog.text


def test_a_start_that_does_not_fit_leaves_the_peer_to_its_seed(tmp_path, caplog):
    earlier = earlier_peer(tmp_path, card(OLD.num_ids).build_model())
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    made, model = pretrain(tmp_path / "a", (START, earlier), hidden=(8,))
    alone, by_itself = pretrain(tmp_path / "b", hidden=(8,))
    for ours, theirs in zip(model.parameters(), by_itself.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert (made.start, made.unfit) == (None, START)
    assert made.began == "fresh, because ctr-deepfm/31 does not fit"
    assert alone.began == "fresh"
    assert "does not start from ctr-deepfm/31: A warm start needs the same network" in caplog.text
