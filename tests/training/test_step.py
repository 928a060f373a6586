"""The step as a GPU runs it: static shapes and resident rows on a CPU, the rest where a GPU is."""

import copy
import logging

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_loop import assert_same, make
from worlds import SILENT, block, finetune_config, optimizer_config, pretrain_config

from mutualctr.training import loop, optimizer, rows, step
from mutualctr.training.step import RecordedStep, fastest
from mutualctr.training.table import DenseTable
from mutualctr.training.touched import RUN, PaddedTouched, Touched

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
RATE = 1e-8
"""A step of static shapes keeps its learning rate in float32."""
PAPER = ("deepfm", "dcn", "pnn", "fibinet")


def pretrained(model, scope="full"):
    train, dev, config = block(1030, 1), block(200, 2), pretrain_config(epochs=1)
    loop.pretrain(model, train, dev, optimizer_config(scope), config, 4, SILENT)
    return model.cpu()


@pytest.mark.parametrize("architecture", PAPER)
def test_static_shapes_train_the_same(architecture, monkeypatch):
    ours = pretrained(make(architecture))
    monkeypatch.setattr(optimizer, "FullTable", DenseTable)
    assert_same(ours, pretrained(make(architecture)), RATE)


def test_static_shapes_finetune_the_same(monkeypatch):
    def finetuned():
        peers = [make(name, seed) for seed, name in enumerate(PAPER)]
        config, data = finetune_config(), (block(1030, 1), block(200, 2))
        loop.finetune(peers, *data, optimizer_config(), config, 2.0, SILENT)
        return peers

    ours = finetuned()
    monkeypatch.setattr(optimizer, "FullTable", DenseTable)
    for one, other in zip(ours, finetuned(), strict=True):
        assert_same(one, other, RATE)


def test_rows_add_up_by_hand():
    ids_BF = torch.tensor([[0, 2], [2, 2], [1, 0]], dtype=torch.int32)
    gradient_BFC = torch.arange(6.0).view(3, 2, 1)  # row 0: 0 + 5, row 1: 4, row 2: 1 + 2 + 3
    touched, padded = Touched(ids_BF), PaddedTouched(ids_BF)
    assert touched.row_U.tolist() == [0, 1, 2]
    assert touched.sum_of_rows(gradient_BFC).flatten().tolist() == [5.0, 4.0, 6.0]
    assert padded.row_U.tolist() == [0, 1, 2, -1, -1, -1]
    assert padded.sum_of_rows(gradient_BFC).flatten().tolist() == [5.0, 4.0, 6.0, 0.0, 0.0, 0.0]


@given(
    rows=st.integers(1, 60),
    batch=st.integers(1, 90),
    fields=st.integers(1, 3),
    columns=st.integers(1, 3),
    seed=st.integers(0, 999),
)
def test_padded_rows_are_the_touched_rows(rows, batch, fields, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    ids_BF = torch.randint(rows, (batch, fields), dtype=torch.int32, generator=generator)
    gradient_BFC = torch.randn(batch, fields, columns, dtype=torch.float64, generator=generator)
    touched, padded = Touched(ids_BF), PaddedTouched(ids_BF)
    found = len(touched.row_U)
    assert torch.equal(padded.row_U[:found], touched.row_U)
    assert (padded.row_U[found:] == -1).all()
    summed_UC = padded.sum_of_rows(gradient_BFC)
    torch.testing.assert_close(summed_UC[:found], touched.sum_of_rows(gradient_BFC))
    assert summed_UC[found:].count_nonzero() == 0
    assert len(padded.row_U) == len(summed_UC) == batch * fields
    # Nobody adds up more than a run, or than the runs of one row.
    places = batch * fields
    for start_K, most in zip(padded._found[2:], (RUN, batch * fields // RUN + 2), strict=True):
        lengths = start_K.diff(append=torch.tensor([places]))
        assert (lengths >= 0).all()
        assert lengths.max() <= most


def test_resident_rows_are_the_same_rows():
    data = block(230, 1)
    order = list(rows.shuffled_rows(data.rows, 50, 3))
    resident = list(rows._resident(rows._whole(data, torch.device("cpu")), order))
    read = list(rows.shuffled_batches(data, 50, 3))
    assert [len(label_B) for _, label_B in read] == [50, 50, 50, 50, 30]
    for one, other in zip(resident, read, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_cannot_be_recorded_says_why(caplog, monkeypatch):
    class OnCuda:
        class table:
            class device:
                type = "cuda"

        @staticmethod
        def modules():
            return [torch.nn.Dropout(0.3)]

    ours = object.__new__(step.Step)
    with caplog.at_level(logging.INFO):
        ours.look = Touched
        assert fastest(ours, [OnCuda]) is ours
        ours.look = PaddedTouched
        assert fastest(ours, [OnCuda]) is ours
    assert "shapes that depend on the batch" in caplog.text
    assert "dropout draws from a stream of its own" in caplog.text
    monkeypatch.setattr(OnCuda, "modules", list)
    assert isinstance(fastest(ours, [OnCuda]), RecordedStep)


def test_a_failed_recording_runs_eagerly_and_says_why(caplog, monkeypatch):
    taken = []

    def eager(lr, touched, label_B):
        taken.append(float(lr))
        return torch.zeros(1, 1)

    eager.look = PaddedTouched

    recorded = RecordedStep(eager)
    monkeypatch.setattr(recorded, "_beside", recorded._on_inputs)

    def fails():
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(recorded, "_record", fails)
    batch = PaddedTouched(torch.zeros(4, 2, dtype=torch.int32)), torch.zeros(4)
    with caplog.at_level(logging.WARNING):
        for lr in (1.0, 2.0, 3.0, 4.0, 5.0):
            recorded(lr, *batch)
    assert taken == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert caplog.text.count("operation not permitted") == 1


@needs_gpu
@pytest.mark.parametrize("scope", ["full", "touched"])
@pytest.mark.parametrize("architecture", PAPER)
def test_a_gpu_trains_what_a_cpu_trains(architecture, scope, monkeypatch):
    model = make(architecture, dtype=torch.float32)
    on_gpu = pretrained(copy.deepcopy(model), scope)
    monkeypatch.setattr(loop, "best_device", lambda: torch.device("cpu"))
    assert_same(on_gpu, pretrained(model, scope), 1e-4)


@needs_gpu
def test_a_recorded_step_is_the_eager_one(monkeypatch):
    recorded = pretrained(make("deepfm", dtype=torch.float32))
    monkeypatch.setattr(loop, "fastest", lambda one, peers: one)
    assert_same(recorded, pretrained(make("deepfm", dtype=torch.float32)), 1e-6)


@needs_gpu
def test_streamed_rows_are_the_same_rows(monkeypatch):
    data, gpu = block(230, 1), torch.device("cuda")
    resident = list(rows.shuffled_batches(data, 50, 3, device=gpu))
    monkeypatch.setattr(rows, "RESIDENT_SHARE", 0.0)
    for one, other in zip(resident, rows.shuffled_batches(data, 50, 3, device=gpu), strict=True):
        assert all(np.array_equal(a.cpu(), b.cpu()) for a, b in zip(one, other, strict=True))
