r"""RE2's expressions in Java's words, for Spark: the same texts match, or the pattern is refused.

    (?du)\A(?:pattern)\z      d: only a line feed ends a line; u: capitals beyond ASCII fold

Contracts are written for RE2 (DuckDB, Arrow). What Java understands differently without an error
is refused: nested brackets and && are sets of sets there, $ stops before a last line feed, \s, \v
and \b know other characters, as (?U) says, and a + behind a repetition never gives back. What only
Java refuses is an error of its own in Spark.
"""

import re

from mutualctr.errors import DataError

OUTSIDE = re.compile(
    r"(?P<escaped>\\.)|(?P<repeated>[*+?}]\+)|(?P<end>\$)|(?P<flags>\(\?[a-zA-Z-]*U)"
    r"|(?P<set>\[\^?\]?)",
    re.DOTALL,
)
INSIDE = re.compile(r"(?P<escaped>\\.)|(?P<and>&&)|(?P<nested>\[)|(?P<close>\])", re.DOTALL)
OTHER_MEANING = {rf"\{letter}" for letter in "sSvVbBhHRXGZ"}


def java_pattern(pattern: str) -> str:
    """The expression for Java that finds the texts which `pattern` matches from end to end.

    Raises DataError where Java would read it differently.
    """
    at, grammar = 0, OUTSIDE
    while found := grammar.search(pattern, at):
        kind, text, at = found.lastgroup, found[0], found.end()
        if kind == "escaped" and text not in OTHER_MEANING:
            continue
        if kind == "set":
            grammar = INSIDE
        elif kind == "close":
            grammar = OUTSIDE
        else:
            raise DataError(
                f"The pattern {pattern} means something else to Spark, whose Java reads `{text}` "
                "differently; write it without, or set `data.engine: local`."
            )
    return rf"(?du)\A(?:{pattern})\z"
