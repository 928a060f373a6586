"""What this processor does well, found out and not assumed."""

import ctypes
import functools
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch

from mutualctr.closed import Closed

Precision = Literal["auto", "fp32", "bf16"]
FLOAT32_ERROR = 3e-6
"""Largest error of a product, in units of its largest entry, that is float32's own rounding."""
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h of glibc
KEEP_BYTES = 1 << 30


def best_device() -> torch.device:
    """A GPU where torch sees one (CUDA_VISIBLE_DEVICES hides it), else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Machine(Closed):
    """What a training runs on and in, for whoever compares two of them."""

    device: str
    products: Literal["fp32", "bf16"]

    @classmethod
    def of(cls, precision: Precision) -> "Machine":
        """This one, with what `precision` means here."""
        device = best_device()
        short = product_dtype(precision, device) is not None
        return cls(device=device.type, products="bf16" if short else "fp32")


def product_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """What models.precision.products_in takes; None is the weights' own dtype.

    `auto` is bf16 where that is faster (docs/RESULTS.md has its AUC), so a run repeats its bits on
    the same kind of processor only, as everything here does.
    """
    if precision == "auto":
        faster = _gpu_has_bf16(device) if device.type == "cuda" else _bf16_is_faster()
        precision = "bf16" if faster else "fp32"
    return torch.bfloat16 if precision == "bf16" else None


def _gpu_has_bf16(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)


@functools.cache
def _bf16_is_faster() -> bool:
    """Whether this processor multiplies bf16 faster than float32.

    AMX tiles do. The AVX-512 instruction does where AMD made it and runs at half of float32's rate
    on Intel's Sapphire Rapids (docs/RESULTS.md), so there the maker decides. Told by name and not
    by the clock: beside busy neighbours a clock says now this, now that, and a run that goes on
    after it was killed would end with other bits.
    """
    if torch.cpu._is_amx_tile_supported():
        return True
    return torch.cpu._is_avx512_bf16_supported() and "AuthenticAMD" in _processor()


def _processor() -> str:
    """What the system says of the processor."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()


@contextmanager
def fast_products() -> Iterator[None]:
    """Send float32 products to oneDNN where its result is float32 all the same.

    torch multiplies float32 with MKL, which runs at half speed on some processors. Allowing
    oneDNN "bf16" makes torch ask it first; whether it then shortens the operands depends on the
    processor, so a product decides: where it does, nothing is changed.
    """
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16" if _onednn_is_float32() else before
    try:
        yield
    finally:
        matmul.fp32_precision = before


@functools.cache
def _onednn_is_float32() -> bool:
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 512, 512, generator=generator)
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        product = one @ other
    finally:
        matmul.fp32_precision = before
    exact = one.double() @ other.double()
    return ((product - exact).abs().max() / exact.abs().max()).item() < FLOAT32_ERROR


@functools.cache
def keep_pages() -> None:
    """Let malloc keep what a step frees for the next step: glibc would give large pieces back to
    the system, and the next step would fault every page in again. Elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)
