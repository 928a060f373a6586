"""What the processor does well: chosen by measuring, and exact where exactness is promised."""

import itertools

import pytest
import torch
from worlds import SILENT, block, optimizer_config, pretrain_config

from models.precision import product_dtype as dtype_of
from models.precision import products_in
from models.registry import ARCHITECTURES, build, reads_sequences
from mutualctr.training import loop, machine
from mutualctr.training.determinism import deterministic
from mutualctr.training.machine import fast_products, product_dtype

CPU = torch.device("cpu")


def test_precision_is_what_is_asked_for(monkeypatch):
    assert product_dtype("fp32", CPU) is None
    assert product_dtype("bf16", CPU) is torch.bfloat16
    for faster, expected in ((True, torch.bfloat16), (False, None)):
        monkeypatch.setattr(machine, "_bf16_is_faster", lambda faster=faster: faster)
        assert product_dtype("auto", CPU) is expected


@pytest.fixture
def processor(monkeypatch):
    """Makes a processor: whether it has the instruction, and what a product takes in either way."""

    def make(has_bf16, bf16_seconds, fp32_seconds):
        machine._bf16_is_faster.cache_clear()
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
        seconds = {torch.bfloat16: itertools.cycle(bf16_seconds)}
        seconds[torch.float32] = itertools.cycle(fp32_seconds)
        monkeypatch.setattr(machine, "_seconds_to_square", lambda m: next(seconds[m.dtype]))

    yield make
    machine._bf16_is_faster.cache_clear()


def test_auto_is_bf16_only_where_the_instruction_is_there_and_faster(processor):
    processor(False, [1.0], [2.0])
    assert product_dtype("auto", CPU) is None
    processor(True, [1.0], [2.0])
    assert product_dtype("auto", CPU) is torch.bfloat16
    processor(True, [2.0], [1.0])
    assert product_dtype("auto", CPU) is None


def test_a_busy_neighbour_does_not_change_what_auto_is(processor):
    processor(True, [9.0, 1.0, 5.0], [2.0])
    assert product_dtype("auto", CPU) is torch.bfloat16
    processor(True, [2.0], [9.0, 8.0, 1.0])
    assert product_dtype("auto", CPU) is None


def test_the_answer_is_found_out_once(processor, monkeypatch):
    processor(True, [1.0], [2.0])
    product_dtype("auto", CPU)
    monkeypatch.setattr(machine, "_seconds_to_square", None)
    assert product_dtype("auto", CPU) is torch.bfloat16


def test_the_products_that_are_timed_are_real():
    assert machine._seconds_to_square(torch.ones(4, 4).bfloat16()) > 0.0


def test_a_request_ends_where_it_ends():
    weight = torch.zeros(1, dtype=torch.float64)
    with products_in(torch.bfloat16):
        assert dtype_of(weight) is torch.bfloat16
        with products_in(None):
            assert dtype_of(weight) is torch.float64
        assert dtype_of(weight) is torch.bfloat16
    assert dtype_of(weight) is torch.float64


def test_fast_products_are_float32():
    one, other = torch.randn(2, 700, 700, generator=torch.Generator().manual_seed(3))
    exact = one.double() @ other.double()
    before = torch.backends.mkldnn.matmul.fp32_precision
    with fast_products():
        error = ((one @ other) - exact).abs().max() / exact.abs().max()
    assert error < machine.FLOAT32_ERROR
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_a_processor_that_shortens_operands_is_left_alone(monkeypatch):
    monkeypatch.setattr(machine, "_onednn_is_float32", lambda: False)
    before = torch.backends.mkldnn.matmul.fp32_precision
    with fast_products():
        assert torch.backends.mkldnn.matmul.fp32_precision == before


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if not reads_sequences(a)])
def test_bf16_products_keep_float32_weights_and_learn_the_same(architecture):
    # bf16 keeps 8 bits of a factor, so one logit is off by about 2⁻⁸ of its parts.
    def trained(precision: str):
        torch.manual_seed(0)
        model = build(
            architecture, num_ids=48, num_fields=3, embedding_dim=4, hidden=(8, 5), dropout=0.0
        )
        with torch.no_grad():
            model.table.normal_(std=0.3)
        config = optimizer_config().model_copy(update={"precision": precision})
        with deterministic():
            curve = loop.pretrain(
                model, block(1000, 1), block(500, 2), config, pretrain_config(1), 4, SILENT
            )
        return model, curve[-1]["dev_logloss"]

    (model, short), (exact_model, exact) = trained("bf16"), trained("fp32")
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not torch.equal(model.table, exact_model.table)
    assert short == pytest.approx(exact, abs=0.02)
