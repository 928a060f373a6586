"""Vocabulary, ids and blocks row by row, as the documentation says them; slow and obvious."""

from collections import Counter
from math import floor, log

from mutualctr.data.layout import MISSING, PADDING, RARE, RESERVED
from mutualctr.data.split import TRAIN


def token(transform, value):
    if transform == "log_squared":
        return str(floor(log(value) ** 2) if value > 2 else value)
    if transform == "log":
        return str((value > 0) - (value < 0)) if abs(value) == 1 else _signed_bits(value)
    return str(value)


def _signed_bits(value):
    return str(value.bit_length() * (-1 if value < 0 else 1))


def vocabulary(values, transform, parts, min_count):
    """Tokens in id order with their counts in train."""
    counts = Counter(
        token(transform, value)
        for value, part in zip(values, parts, strict=True)
        if part == TRAIN and value is not None
    )
    kept = [(text, n) for text, n in counts.items() if n >= min_count]
    return sorted(kept, key=lambda entry: (-entry[1], entry[0].encode()))


def ids(values, transform, tokens, offset):
    places = {text: RESERVED + place for place, text in enumerate(tokens)}
    return [
        offset + (MISSING if value is None else places.get(token(transform, value), RARE))
        for value in values
    ]


def clicked_before(row, users, times, items, clicks, parts, length):
    """The items of the last clicks of the row's user before it, oldest first, None in front."""
    if users[row] is None or parts[row] > 2:
        return [None] * length
    earlier = [
        (times[other], other)
        for other in range(len(users))
        if users[other] == users[row]
        and times[other] < times[row]
        and clicks[other] == 1
        and items[other] is not None
        and parts[other] <= parts[row]
    ]
    found = [items[other] for _, other in sorted(earlier)][-length:]
    return [None] * (length - len(found)) + found


def item_id(value, tokens):
    """Local id of an item of a sequence; an empty place is padding."""
    if value is None:
        return PADDING
    return RESERVED + tokens.index(value) if value in tokens else RARE
