"""Clicks in the shape of Criteo's file, drawn from a known law: the best possible AUC is known.

    logit = shift + scale · (√(1−s) · first + √s · pairs)
    first = Σ_fields effect(token),  pairs = Σ_{f<g} ⟨factor(token_f), factor(token_g)⟩

Both sums have unit variance before they are mixed. Factors belong to the fields of few tokens,
so that a model with interactions can learn them from a hundred thousand rows. A number acts
through the logarithm of its value; a missing value has an effect and a factor of its own.

The law may turn with time: effects at an angle t are cos t · e + sin t · e′ of two independent
draws, so that their spread stays and their correlation with those at the angle u is cos(t − u).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from mutualctr.evaluation.auc import auc
from mutualctr.files import replacing

CLICK_SHARE = 0.25
LOGIT_SD = 1.4
"""Gives a best possible AUC of about 0.80 at this share of clicks."""
PAIRS_SHARE = 0.4
"""s: how much of the logit's variance comes from pairs of tokens."""
FACTOR_DIM = 2
CHUNK_ROWS = 50_000
CALIBRATION_ROWS = 20_000
MOST_TOKENS = 60_000
ZIPF_EXPONENT = 1.1

# One entry a number: mean and standard deviation of the logarithm, share of missing values.
NUMBERS = (
    (0.9, 1.2, 0.45), (2.0, 2.2, 0.0), (1.8, 1.5, 0.21), (1.6, 1.0, 0.21), (8.0, 2.2, 0.03),
    (3.4, 1.7, 0.22), (1.6, 1.6, 0.04), (2.0, 1.1, 0.0), (3.6, 1.6, 0.04), (0.3, 0.6, 0.45),
    (0.8, 0.9, 0.04), (0.2, 1.1, 0.76), (1.6, 1.1, 0.21),
)  # fmt: skip
SECOND = 1
"""Position of I2, the one number that may be as small as −2."""

# One entry a category: tokens as a power of the rows, share of missing values.
CATEGORIES = (
    (0.54, 0.0), (0.53, 0.0), (0.93, 0.03), (0.86, 0.03), (0.42, 0.0), (0.21, 0.12), (0.77, 0.0),
    (0.47, 0.0), (0.10, 0.0), (0.80, 0.0), (0.70, 0.0), (0.92, 0.03), (0.68, 0.0), (0.28, 0.0),
    (0.73, 0.0), (0.90, 0.03), (0.20, 0.0), (0.68, 0.0), (0.61, 0.43), (0.12, 0.43), (0.91, 0.03),
    (0.22, 0.76), (0.23, 0.0), (0.81, 0.03), (0.34, 0.43), (0.79, 0.43),
)  # fmt: skip
INTERACTING_POWER = 0.35
"""Categories of at most this power of the rows have factors."""


@dataclass(frozen=True)
class _Category:
    """Tokens of one field by popularity; the last entry of effect and factor is for missing."""

    missing_share: float
    cumulative_V: np.ndarray
    token_V: pa.Array
    effect_V: np.ndarray
    factor_VR: np.ndarray

    def draw(self, rows: int, draw: np.random.Generator) -> np.ndarray:
        """Rank of the token in each row; −1 where the value is missing."""
        rank_B = np.searchsorted(self.cumulative_V, draw.random(rows), side="right")
        rank_B[draw.random(rows) < self.missing_share] = -1
        return rank_B


@dataclass(frozen=True)
class _Rows:
    """Raw values of some rows with their two sums."""

    number_IB: np.ma.MaskedArray
    rank_CB: np.ndarray
    first_B: np.ndarray
    pairs_B: np.ndarray


@dataclass(frozen=True)
class _World:
    """The law: which tokens there are and what they do."""

    slope_I: np.ndarray
    missing_effect_I: np.ndarray
    categories: tuple[_Category, ...]

    def turned(self, angle: float, other: "_World") -> "_World":
        """Effects on the way to those of `other`; tokens and factors stay."""

        def mixed(effects: np.ndarray, others: np.ndarray) -> np.ndarray:
            return np.cos(angle) * effects + np.sin(angle) * others

        categories = tuple(
            replace(own, effect_V=mixed(own.effect_V, theirs.effect_V))
            for own, theirs in zip(self.categories, other.categories, strict=True)
        )
        return _World(
            mixed(self.slope_I, other.slope_I),
            mixed(self.missing_effect_I, other.missing_effect_I),
            categories,
        )

    def draw(self, rows: int, draw: np.random.Generator) -> _Rows:
        number_IB = np.ma.stack([_draw_number(i, rows, draw) for i in range(len(NUMBERS))])
        rank_CB = np.stack([category.draw(rows, draw) for category in self.categories])
        first_B = np.zeros(rows)
        for i, (mean, sd, _) in enumerate(NUMBERS):
            log_B = (np.log1p(np.maximum(number_IB.data[i], 0)) - mean) / sd
            first_B += np.where(
                number_IB.mask[i], self.missing_effect_I[i], self.slope_I[i] * log_B
            )
        sum_BR, squares_B = np.zeros((rows, FACTOR_DIM)), np.zeros(rows)
        for category, rank_B in zip(self.categories, rank_CB, strict=True):
            first_B += category.effect_V[rank_B]
            factor_BR = category.factor_VR[rank_B]
            sum_BR += factor_BR
            squares_B += (factor_BR**2).sum(axis=1)
        pairs_B = ((sum_BR**2).sum(axis=1) - squares_B) / 2
        return _Rows(number_IB, rank_CB, first_B, pairs_B)

    def table(self, label_B: np.ndarray, rows: _Rows) -> pa.Table:
        numbers = [
            pa.array(rows.number_IB.data[i], mask=rows.number_IB.mask[i])
            for i in range(len(NUMBERS))
        ]
        categories = [
            category.token_V.take(pa.array(rank_B, mask=rank_B < 0))
            for category, rank_B in zip(self.categories, rows.rank_CB, strict=True)
        ]
        columns = [pa.array(label_B), *numbers, *categories]
        return pa.table(columns, names=[str(position) for position in range(len(columns))])


def generate_criteo(path: Path, rows: int, seed: int, day: int = 0, angle: float = 0.0) -> float:
    """Write `rows` clicks as Criteo's raw TSV; the same arguments write the same bytes.

    A label, 13 integers, 26 categories of eight hexadecimal digits; no header; missing is empty.
    Tokens are Zipf-distributed, a handful to tens of thousands a field, more with more rows.
    Days of one seed and as many rows are other rows of one law, turned by `angle` (radians).

    Returns the AUC of the true probabilities on these very rows: no model can expect more.
    """
    world = _draw_world(rows, np.random.default_rng([seed, 0]))
    if angle:
        world = world.turned(angle, _draw_world(rows, np.random.default_rng([seed, 3])))
    logit_of = _calibrate(world.draw(CALIBRATION_ROWS, np.random.default_rng([seed, 1])))
    draw = np.random.default_rng([seed, 2, day])
    labels, logits = [], []
    options = pa.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with replacing(path) as temporary, temporary.open("wb") as file:
        for start in range(0, rows, CHUNK_ROWS):
            drawn = world.draw(min(CHUNK_ROWS, rows - start), draw)
            logit_B = logit_of(drawn)
            label_B = (draw.random(len(logit_B)) < _sigmoid(logit_B)).astype(np.int8)
            pa.csv.write_csv(world.table(label_B, drawn), file, options)
            labels.append(label_B)
            logits.append(logit_B)
    return auc(np.concatenate(labels), np.concatenate(logits))


def _draw_world(rows: int, draw: np.random.Generator) -> _World:
    categories = tuple(_draw_category(rows, *entry, draw) for entry in CATEGORIES)
    numbers = len(NUMBERS)
    return _World(draw.normal(size=numbers), draw.normal(size=numbers), categories)


def _draw_category(
    rows: int, power: float, missing_share: float, draw: np.random.Generator
) -> _Category:
    """One field. Its factors have mean zero over the rows, so that pairs hide no first order."""
    tokens = min(MOST_TOKENS, max(3, round(rows**power)))
    popularity_V = (np.arange(tokens) + 2.0) ** -ZIPF_EXPONENT
    popularity_V /= popularity_V.sum()
    cumulative_V = np.cumsum(popularity_V)
    cumulative_V[-1] = 1.0
    effect_V = (1 - power) * draw.normal(size=tokens + 1)
    factor_VR = draw.normal(size=(tokens + 1, FACTOR_DIM)) * (power <= INTERACTING_POWER)
    factor_VR -= np.append((1 - missing_share) * popularity_V, missing_share) @ factor_VR
    return _Category(missing_share, cumulative_V, _hex_tokens(tokens, draw), effect_V, factor_VR)


def _hex_tokens(tokens: int, draw: np.random.Generator) -> pa.Array:
    """Distinct words of eight hexadecimal digits: an odd multiplier permutes 32-bit numbers."""
    start, step = draw.integers(2**32, size=2, dtype=np.uint64) | np.uint64(1)
    number_V = (start + step * np.arange(tokens, dtype=np.uint64)) % np.uint64(2**32)
    return pa.array([f"{number:08x}" for number in number_V.tolist()])


def _draw_number(i: int, rows: int, draw: np.random.Generator) -> np.ma.MaskedArray:
    mean, sd, missing_share = NUMBERS[i]
    value_B = np.floor(np.exp(draw.normal(mean, sd, rows))).astype(np.int64)
    if i == SECOND:
        value_B -= draw.integers(3, size=rows)
    return np.ma.masked_array(value_B, mask=draw.random(rows) < missing_share)


def _calibrate(sample: _Rows) -> Callable[[_Rows], np.ndarray]:
    """The function from rows to logits whose spread and mean click share are as wanted."""
    first = (sample.first_B.mean(), sample.first_B.std() / np.sqrt(1 - PAIRS_SHARE))
    pairs = (sample.pairs_B.mean(), sample.pairs_B.std() / np.sqrt(PAIRS_SHARE))

    def centred(rows: _Rows) -> np.ndarray:
        score_B = (rows.first_B - first[0]) / first[1] + (rows.pairs_B - pairs[0]) / pairs[1]
        return LOGIT_SD * score_B

    logit_B = centred(sample)
    low, high = -10.0, 10.0
    for _ in range(60):
        shift = (low + high) / 2
        if _sigmoid(logit_B + shift).mean() < CLICK_SHARE:
            low = shift
        else:
            high = shift
    return lambda rows: centred(rows) + shift


def _sigmoid(logit_B: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit_B))
