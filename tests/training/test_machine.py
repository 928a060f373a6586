"""What the processor does well: chosen by measuring, and exact where exactness is promised."""

from pathlib import Path

import pytest
import torch
from worlds import SILENT, block, optimizer_config, pretrain_config

from models.precision import product_dtype as dtype_of
from models.precision import products_in
from models.registry import ARCHITECTURES, build, reads_sequences
from mutualctr.training import loop, machine
from mutualctr.training.determinism import deterministic
from mutualctr.training.machine import Machine, fast_products, product_dtype

CPU = torch.device("cpu")


def test_precision_is_what_is_asked_for(monkeypatch):
    assert product_dtype("fp32", CPU) is None
    assert product_dtype("bf16", CPU) is torch.bfloat16
    for faster, expected in ((True, torch.bfloat16), (False, None)):
        monkeypatch.setattr(machine, "_bf16_is_faster", lambda faster=faster: faster)
        assert product_dtype("auto", CPU) is expected


@pytest.mark.parametrize(
    ("tiles", "instruction", "maker", "expected"),
    [
        (True, True, "GenuineIntel", torch.bfloat16),
        (False, True, "AuthenticAMD", torch.bfloat16),
        (False, True, "GenuineIntel", None),  # half the rate of float32
        (False, True, "", None),
        (False, False, "AuthenticAMD", None),
    ],
)
def test_auto_is_bf16_where_that_is_faster(monkeypatch, tiles, instruction, maker, expected):
    machine._bf16_is_faster.cache_clear()
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instruction)
    monkeypatch.setattr(machine, "_processor", lambda: f"vendor_id\t: {maker}\n")
    try:
        assert product_dtype("auto", CPU) is expected
    finally:
        machine._bf16_is_faster.cache_clear()


def test_a_run_notes_what_auto_was(monkeypatch):
    for faster, products in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(machine, "_bf16_is_faster", lambda faster=faster: faster)
        monkeypatch.setattr(machine, "best_device", lambda: CPU)
        assert Machine.of("auto") == Machine(device="cpu", products=products)
        assert Machine.of("fp32").products == "fp32"


def test_the_system_says_something_of_the_processor(monkeypatch):
    assert machine._processor()
    monkeypatch.setattr(machine, "Path", lambda name: Path("/no/such/file"))
    monkeypatch.setattr(machine.platform, "processor", lambda: "AMD64, AuthenticAMD")
    assert machine._processor() == "AMD64, AuthenticAMD"


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
