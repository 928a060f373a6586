"""Expressions that Java reads as RE2 does are passed on, all others are refused."""

import pytest

from mutualctr.data.contract_file import CONTRACTS, load_contract
from mutualctr.data.java_pattern import java_pattern
from mutualctr.data.rules import CALENDAR_HOUR, Pattern
from mutualctr.errors import DataError


@pytest.mark.parametrize(
    "pattern",
    [CALENDAR_HOUR, "[0-9a-f]{8}", "a|b", r"\$[^$]+", r"[+*]+?", r"[]a]", r"[^]\]]\d{2,}", ".*&&"],
)
def test_the_same_to_both(pattern):
    assert java_pattern(pattern) == rf"(?du)\A(?:{pattern})\z"


@pytest.mark.parametrize(
    ("pattern", "read"),
    [
        ("[[:alpha:]]+", "["), ("[a[b]]", "["), ("[a-z&&b]", "&&"), ("ab$", "$"), (r"a\sb", r"\s"),
        (r"[\v]", r"\v"), ("(?iU)a", "(?iU"), (r"\bword\b", r"\b"), ("a++", "++"),
        ("a{2}+b", "}+"), (r"[a\]]x?+", "?+"),
    ],
)  # fmt: skip
def test_what_java_reads_differently_is_refused(pattern, read):
    with pytest.raises(DataError) as error:
        java_pattern(pattern)
    assert f"reads `{read}` differently" in str(error.value)


def test_spark_runs_the_patterns_of_every_contract():
    for path in CONTRACTS.glob("*.yaml"):
        for rule in load_contract(path.stem).expectations:
            if isinstance(rule, Pattern):
                java_pattern(rule.pattern)
