"""Contracts of three columns for tests of the readers."""

from typing import Any

from mutualctr.data.contract import Contract

CSV = {"delimiter": "comma", "header": False, "missing": ""}
COLUMNS = (
    {"name": "click", "type": "integer", "role": "label"},
    {"name": "number", "type": "integer", "role": "number"},
    {"name": "word", "type": "text", "role": "category"},
)


def small_contract(layout: dict[str, Any] = CSV, columns=COLUMNS, joined=()) -> Contract:
    """click, number, word, in this order, unless told otherwise."""
    return Contract(
        name="small",
        description="",
        format=layout,
        time="row",
        columns=columns,
        joined=joined,
        expectations=(),
        common_features=({"name": "word", "column": "word", "transform": "category"},),
        alternatives={},
    )
