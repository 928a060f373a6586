"""How a row of ids is laid out: the ids every field reserves, and where sequences lie."""

from mutualctr.closed import Closed

PADDING, MISSING, RARE = range(3)
"""The first ids of every field, before its offset."""
RESERVED = 3


class SequenceLayout(Closed):
    """`length` consecutive columns of ids_BF: items of one field, oldest first, padded in front.

    The ids are those of the field whose vocabulary the sequence shares.
    """

    name: str
    start: int
    """First column; sequences follow the plain fields."""
    length: int
    target: int
    """Column of the field it shares the vocabulary with."""
    padding_id: int
    """The id, in the one table, of a place that no item has filled."""
