"""A first contract for a new file, written from the file's own statistics.

The file is read by the same ingest as a run, every column as text, and DuckDB looks at all of it.
Bounds leave head-room, so the draft holds for the file it came from. What statistics cannot know
(what a column means, what stops a run) is said in comments for a person to decide.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from mutualctr.data.contract import Column, Contract, Format
from mutualctr.data.contract_file import expand
from mutualctr.data.event_sql import select_events, view_of
from mutualctr.data.events import ingest
from mutualctr.data.profile import Profile, missing_text, profile
from mutualctr.data.source import read_blocks
from mutualctr.errors import DataError

DELIMITERS = ("tab", "comma")
LABEL_NAMES = ("label", "click", "clicked", "is_click", "is_clicked", "target", "y")
TIME_WORDS = ("time", "hour", "date")
NUMBER_VALUES = 50
"""An integer column with fewer values is a category."""
ROWS_A_VALUE = 10
"""Values are listed as a rule where each is seen so often on average."""
MISSING_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
LONGEST_VALUE = 40
HASH_ALPHABETS = ("[0-9]", "[0-9a-f]", "[0-9A-F]")
HASH_LENGTH = 6
"""Texts of one such length are hashes: their form is the rule, even where they are few."""
WIDTH = 96

HEAD = """\
# A draft from all {rows:,} rows of {file}. It holds for that file; whether it says what should
# hold, only a person knows. README.md of data_contracts has every key. To decide:
#   1. Roles. An amount is a number, a code a category; which columns are only known after the
#      click? Those must be ignored, or the models learn the answer.
#   2. Severity. What must stop a run is critical; so far only the label is.
#   3. Bounds. They come from one file, with head-room; you know what is possible.
#   4. Time. `{time}` orders the rows; a split by time needs that to be right.

name: {name}
description: {description}

format: {{delimiter: {delimiter}, header: {header}, missing: {missing}}}

time: {time}
"""

DRIFT = """
# Against the snapshot of an earlier run, where data.reference names one.
drift:
  psi: {warning: 0.25}
  unseen_share: {warning: 0.2}
  click_rate: {warning: 0.05}
"""


def draft_contract(path: Path, name: str, label: str | None) -> str:
    """The YAML of a contract that `path` keeps; `label` names the column of clicks.

    In a file without a header, columns are called column_1, column_2, … and the label `label`.
    Raises DataError: no delimiter to be seen, no label to be found or one that is not 0 and 1 in
    every row, names that a contract cannot have, and all that ingest refuses.
    """
    layout, names = _layout(path)
    with tempfile.TemporaryDirectory() as folder:
        columns = tuple(Column(name=n, type="text", role="ignored") for n in names)
        as_text = Contract.model_construct(name=name, format=layout, columns=columns)
        files = ingest(path, as_text, Path(folder)).files
        with view_of(select_events(files)) as connection:
            missing = missing_text(connection, names)
            profiles = [profile(connection, column, missing) for column in names]
    profiles, label = _with_label(profiles, label, path, layout.header)
    roles = {p.name: _role(p, label) for p in profiles}
    time = next((column for column, (role, _) in roles.items() if role == "time"), "row")
    head = HEAD.format(
        rows=profiles[0].rows,
        file=path.name.replace("\n", " "),
        name=_scalar(name),
        description=_scalar(f"drafted from {path.name}"),
        delimiter=layout.delimiter,
        header=str(layout.header).lower(),
        missing=_scalar(missing),
        time=_scalar(time),
    )
    sections = {
        "columns": _columns(profiles, roles),
        "expectations": _grouped("column", _rules(profiles, roles, label)),
        "common_features": _grouped("column", _features(profiles, roles)),
    }
    text = head
    for section, lines in sections.items():
        lines = list(lines)
        text += f"\n{section}:\n" + "\n".join(lines) + "\n" if lines else f"\n{section}: []\n"
        if section == "expectations":
            text += DRIFT
    return text


def _layout(path: Path) -> tuple[Format, list[str]]:
    """Delimiter, header or not, and the names of the columns, from the first lines.

    A label is 0 or 1, so a first line without any number in it is no row but a header.
    """
    block = next(iter(read_blocks(path, "\t", [])))
    lines = block.data.decode().removeprefix("\ufeff").split("\n")[:1000]
    lines = [line.removesuffix("\r") for line in lines if line]
    formats = [Format(delimiter=d, header=False, missing="") for d in DELIMITERS]
    widths = {f: {line.count(f.separator) for line in lines} for f in formats}
    fitting = [f for f in formats if len(widths[f]) == 1 and min(widths[f]) > 0]
    if not fitting:
        raise DataError(
            f"{path}: the first lines have no {' or '.join(DELIMITERS)} equally often; give a "
            "delimited text file without quoting."
        )
    chosen = max(fitting, key=lambda f: max(widths[f]))
    cells = lines[0].split(chosen.separator)
    if any(_is_number(cell) for cell in cells):
        return chosen, [f"column_{number}" for number in range(1, len(cells) + 1)]
    for number, cell in enumerate(cells, start=1):
        problem = None
        if not cell:
            problem = f"column {number} has no name"
        elif cell.casefold() in [other.casefold() for other in cells[: number - 1]]:
            problem = f"two columns are called {cell} (capitals make no difference)"
        elif ".." in cell:
            problem = f"the name {cell} holds two full stops, which mean a range in a contract"
        if problem:
            raise DataError(f"{path}: {problem}; rename it in line 1.")
    return chosen.model_copy(update={"header": True}), cells


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _with_label(
    profiles: list[Profile], label: str | None, path: Path, header: bool
) -> tuple[list[Profile], str]:
    """Find the label; without a header its column is then called `label`."""
    known = {p.name: p for p in profiles}
    whole = [p for p in profiles if p.integer and not p.missing]
    binary = [p.name for p in whole if p.values and set(p.values) <= {0, 1}]
    if label is None:
        named = [name for name in binary if name.lower() in LABEL_NAMES]
        if not (named or (binary and not header)):
            raise DataError(
                f"{path}: no column is called like a label and holds only 0 and 1; name it with "
                f"--label ({', '.join(binary) or 'no column holds only 0 and 1'})."
            )
        label = (named or binary)[0]
    elif label not in known:
        raise DataError(f"{path}: there is no column {label}; it has {', '.join(known)}.")
    if label not in binary:
        raise DataError(
            f"{path}: the label {label} must be 0 or 1 in every row, and it is "
            f"{'missing in some' if known[label].missing else 'something else in some'}; "
            "name another column with --label, or prepare the file."
        )
    if header:
        return profiles, label
    return [replace(p, name="label") if p.name == label else p for p in profiles], "label"


def _role(p: Profile, label: str) -> tuple[str, str]:
    """The role of a column, and what a person should know about the guess."""
    name = p.name.lower()
    if p.name == label:
        return "label", ""
    if not p.present:
        return "ignored", "always missing"
    if p.distinct == 1:
        return "ignored", "always the same"
    if p.calendar_hour:
        return "time", "YYMMDDHH"
    if p.integer and p.distinct > 100 and any(word in name for word in TIME_WORDS):
        return "time", "by its name: does it order the rows?"
    many = p.distinct > 100 and p.distinct > 0.9 * p.present
    if many and (not p.integer or name.endswith("id")):
        return "ignored", "about one value a row: an id of the row?"
    if p.decimal:
        return "ignored", "decimal numbers: no transform reads them as they are"
    if p.integer and p.distinct >= NUMBER_VALUES and not name.endswith("id"):
        return "number", "an amount, or codes (category)?"
    return "category", ""


def _columns(profiles: list[Profile], roles: dict[str, tuple[str, str]]) -> Iterator[str]:
    """One line for neighbours of one type and role, in the order of the file."""

    def same(p: Profile) -> tuple[str, str, str]:
        return ("integer" if p.integer else "text", *roles[p.name])

    for (kind, role, comment), group in groupby(profiles, key=same):
        line = _entry({"name": [p.name for p in group], "type": kind, "role": role})
        yield f"{line}  # {comment}" if comment else line


def _rules(
    profiles: list[Profile], roles: dict[str, tuple[str, str]], label: str
) -> Iterator[dict[str, Any]]:
    critical, warning = {"severity": "critical"}, {"severity": "warning"}
    yield {"rule": "row_count", "at_least": 1, **critical}
    for p in profiles:
        if p.name == label:
            yield {"rule": "not_missing", "column": label, **critical}
            yield {"rule": "one_of", "column": label, "values": [0, 1], **critical}
            if len(p.values) == 2:
                yield {"rule": "all_present", "column": label, "values": [0, 1], **critical}
                low, high = _rounded(p.mean / 2), _rounded(min(1.0, 2 * p.mean), up=True)
                yield {"rule": "mean", "column": label, "min": low, "max": high, **warning}
        elif roles[p.name][0] != "ignored":
            yield from ({**rule, **warning} for rule in _column_rules(p, roles[p.name][0]))


def _column_rules(p: Profile, role: str) -> Iterator[dict[str, Any]]:
    listed = p.values and ROWS_A_VALUE * len(p.values) <= p.present
    short = p.integer or all(len(value) <= LONGEST_VALUE for value in p.values)
    hashed = p.alphabet in HASH_ALPHABETS and HASH_LENGTH <= p.lengths[0] == p.lengths[1]
    if p.calendar_hour and role == "time":
        yield {"rule": "calendar_hour", "column": p.name}
    elif role == "category" and listed and short and not hashed:
        yield {"rule": "one_of", "column": p.name, "values": list(p.values)}
    elif p.integer:
        yield {"rule": "between", "column": p.name, "min": min(0, 2 * p.smallest)}
    elif p.alphabet:
        shortest, longest = p.lengths
        times = f"{{{shortest}}}" if shortest == longest else "+"
        yield {"rule": "pattern", "column": p.name, "pattern": p.alphabet + times}
    share = 1.5 * p.missing / p.rows
    bound = next((step for step in MISSING_STEPS if share <= step), None)
    if bound is not None:
        yield {"rule": "missing_share", "column": p.name, "at_most": bound}


def _features(
    profiles: list[Profile], roles: dict[str, tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    taken = {p.name for p in profiles}
    for p in profiles:
        role = roles[p.name][0]
        if role in ("number", "category"):
            transform = "log_squared" if role == "number" else "category"
            yield {"column": p.name, "transform": transform}
        elif role == "time" and p.calendar_hour:
            for part in ("hour_of_day", "weekday"):
                if part not in taken:
                    taken.add(part)
                    yield {"name": part, "column": p.name, "transform": part}


def _grouped(spread: str, entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One line for all entries that differ in the `spread` key alone."""
    lines: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for entry in entries:
        rest = {key: value for key, value in entry.items() if key != spread}
        lines.setdefault(repr(rest), (entry, []))[1].extend(
            [entry[spread]] if spread in entry else []
        )
    for entry, names in lines.values():
        yield _entry({**entry, spread: names} if names else entry)


def _entry(fields: dict[str, Any]) -> str:
    """A list entry: on one line, or with a key on each where that is too long."""
    written = {
        key: _list(value) if isinstance(value, list) else _scalar(value)
        for key, value in fields.items()
    }
    line = "  - {" + ", ".join(f"{key}: {value}" for key, value in written.items()) + "}"
    if len(line) <= WIDTH:
        return line
    wrapped = (f"{key}: {_wrap(value, 6 + len(key))}" for key, value in written.items())
    return "  - " + "\n    ".join(wrapped)


def _list(values: list[Any]) -> str:
    """Names and values in YAML's flow style; neighbours such as C1, C2, C3 as a range."""
    written, start = [], 0
    while start < len(values):
        end = _range_end(values, start)
        if end - start >= 2:
            written.append(_scalar(f"{values[start]}..{values[end]}"))
            start = end + 1
        else:
            written.append(_scalar(values[start]))
            start += 1
    return written[0] if len(written) == 1 and _one(values) else "[" + ", ".join(written) + "]"


def _one(values: list[Any]) -> bool:
    """Whether the list may be written without brackets: a name or a range of names."""
    return isinstance(values[0], str)


def _range_end(values: list[Any], start: int) -> int:
    """Position of the last value of the longest range that begins at `start`."""
    end = start
    while end + 1 < len(values) and isinstance(values[start], str):
        try:
            span = expand(f"{values[start]}..{values[end + 1]}")
        except ValueError:
            break
        if span != values[start : end + 2]:
            break
        end += 1
    return end


def _wrap(text: str, indent: int) -> str:
    """Break a long list behind commas; YAML joins the lines again."""
    if not text.startswith("[") or len(text) + indent <= WIDTH:
        return text
    lines = [""]
    for part in text.split(", "):
        piece = part + ", "
        if len(lines[-1]) + len(piece) + indent > WIDTH:
            lines.append("")
        lines[-1] += piece
    return "\n".join(
        line.rstrip() if n == 0 else " " * (indent + 1) + line.rstrip()
        for n, line in enumerate(lines)
    ).removesuffix(",")


def _scalar(value: Any) -> str:
    """A value as YAML writes it inside a list."""
    return yaml.safe_dump(
        [value], default_flow_style=True, width=float("inf"), allow_unicode=True
    ).strip()[1:-1]


def _rounded(share: float, up: bool = False) -> float:
    """To two digits, away from what was seen."""
    rounded = float(f"{share:.1e}")
    if up and rounded < share:
        rounded = float(f"{1.1 * share:.1e}")
    return min(1.0, rounded)
