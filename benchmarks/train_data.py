"""Clicks for the training benchmark: Criteo's shape, as ids, with a law that can be learned."""

from pathlib import Path

import numpy as np

FIELDS = 39
# Distinct values of each field: numbers turned into categories, then categories; about 1.05 M.
SIZES = (
    45, 95, 110, 40, 250, 110, 80, 75, 110, 9, 30, 45, 70,
    1_400, 550, 250_000, 130_000, 300, 16, 11_800, 620, 3, 46_000, 5_000, 220_000, 3_100,
    26, 10_000, 200_000, 10, 4_600, 2_000, 4, 145_000, 15, 15, 20_000, 80, 5_000,
)  # fmt: skip
EXPONENT = 1.16
FACTOR_FIELDS, FACTOR_DIM = 12, 4
CLICK_SHIFT = -1.9


def write_clicks(folder: Path, rows: int, seed: int) -> None:
    """ids.npy int32 [rows, 39], each field from 0; label.npy uint8; sizes.npy."""
    rng = np.random.default_rng(seed)
    ids_RF = np.empty((rows, FIELDS), np.int32)
    logit_R = np.full(rows, CLICK_SHIFT)
    smallest = np.argsort(SIZES)[:FACTOR_FIELDS]
    total_RD, squares_R = np.zeros((rows, FACTOR_DIM)), np.zeros(rows)
    for field, size in enumerate(SIZES):
        cumulative_V = np.cumsum((np.arange(size) + 1.5) ** -EXPONENT)
        rank_R = np.searchsorted(cumulative_V, rng.random(rows) * cumulative_V[-1])
        ids_RF[:, field] = rng.permutation(size)[rank_R]
        logit_R += rng.normal(0, 0.25, size)[rank_R]
        if field in smallest:
            factor_RD = rng.normal(0, 0.25, (size, FACTOR_DIM))[rank_R]
            total_RD += factor_RD
            squares_R += (factor_RD**2).sum(axis=1)
    logit_R += ((total_RD**2).sum(axis=1) - squares_R) / 2
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "ids.npy", ids_RF)
    np.save(folder / "label.npy", (rng.random(rows) < 1 / (1 + np.exp(-logit_R))).astype(np.uint8))
    np.save(folder / "sizes.npy", np.array(SIZES))
