"""The table's Adam: rows that owe their steps, the sums over a batch, the window's edges."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.embedding import FieldEmbedding
from mutualctr.training import full_table
from mutualctr.training.full_table import FullTable
from mutualctr.training.table import DenseTable
from mutualctr.training.touched import Touched

L2 = 1e-3


def batches(rows: int, steps: int, seed: int, fields: int = 3) -> list[torch.Tensor]:
    """Ids with density towards the low ones, so that some rows stay cold for long."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(steps, 8, fields, generator=generator)
    return list((rows * drawn**4).to(torch.int32))


def train(
    kind,
    table_VE: torch.Tensor,
    ids: list[torch.Tensor],
    settle_after: set[int],
    first_order: bool = False,
):
    """Steps with gradient sin(weight + step) per row gathered; returns table and moments."""
    rows, columns = table_VE.shape
    embedding = FieldEmbedding(rows, columns - first_order, first_order)
    embedding.weight.data = table_VE.clone()
    optimizer = kind(embedding, L2)
    for step, ids_BF in enumerate(ids):
        touched = Touched(ids_BF)
        gathered = [part for part in optimizer.gather(touched) if part is not None]
        assert len(gathered) == 1 + first_order
        gradients = [touched.sum_of_rows((part + step).sin()) for part in gathered]
        optimizer.step(1e-2 / (step + 1), touched.row_U, gradients)
        if step in settle_after:
            optimizer.settle()
    optimizer.settle()
    return optimizer.table_VE, optimizer.first_VE, optimizer.second_VE


def start(rows: int, columns: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(rows, columns, dtype=dtype, generator=torch.Generator().manual_seed(1)) / 10


@settings(max_examples=25)
@given(
    rows=st.integers(1, 400),
    columns=st.integers(1, 5),
    steps=st.integers(1, 40),
    seed=st.integers(0, 999),
    first_order=st.booleans(),
)
def test_owing_rows_end_where_stepping_rows_end(rows, columns, steps, seed, first_order):
    table_VE = start(rows, columns + first_order, torch.float64)
    ids = batches(rows, steps, seed)
    owing = train(FullTable, table_VE, ids, set(), first_order)
    stepping = train(DenseTable, table_VE, ids, set(), first_order)
    for one, other in zip(owing, stepping, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("settle_after", [{0}, {3, 4, 20}, set(range(40))], ids=str)
def test_when_rows_settle_changes_no_bit(dtype, settle_after):
    # 401 rows of 3: neither rows nor numbers fill whole vectors.
    table_VE, ids = start(401, 3, dtype), batches(401, 40, 7)
    for first_order in (False, True):
        late, early = (
            train(FullTable, table_VE, ids, when, first_order) for when in (set(), settle_after)
        )
        for one, other in zip(late, early, strict=True):
            assert torch.equal(one, other)


def test_parting_the_first_order_changes_no_bit():
    table_VE, ids = start(401, 5, torch.float32), batches(401, 40, 7)
    whole, parted = (train(FullTable, table_VE, ids, {3}, parts) for parts in (False, True))
    for one, other in zip(whole, parted, strict=True):
        assert torch.equal(one, other)


def test_the_size_of_a_piece_changes_no_bit(monkeypatch):
    table_VE, ids = start(1000, 17, torch.float32), batches(1000, 20, 7)
    whole = train(FullTable, table_VE, ids, set())
    monkeypatch.setattr(full_table, "CHUNK", 32)
    for one, other in zip(whole, train(FullTable, table_VE, ids, set()), strict=True):
        assert torch.equal(one, other)


def test_the_window_is_crossed_and_cold_rows_move():
    table_VE = start(5000, 2, torch.float64)
    ids = batches(10, 2 * full_table.WINDOW + 3, 7)  # only the first ten rows are ever touched
    after, _, _ = train(FullTable, table_VE, ids, set())
    assert (after[10:] != table_VE[10:]).all()


@given(rows=st.integers(1, 30), seed=st.integers(0, 999))
def test_sums_equal_the_loop_over_places(rows, seed):
    ids_BF = batches(rows, 1, seed)[0]
    gradient_BFE = torch.randn(*ids_BF.shape, 4, dtype=torch.float64)
    touched = Touched(ids_BF)
    naive_VE = torch.zeros(rows, 4, dtype=torch.float64)
    for place, row in enumerate(ids_BF.flatten().tolist()):
        naive_VE[row] += gradient_BFE.flatten(0, 1)[place]
    assert touched.row_U.tolist() == sorted(set(ids_BF.flatten().tolist()))
    torch.testing.assert_close(touched.sum_of_rows(gradient_BFE), naive_VE[touched.row_U])
