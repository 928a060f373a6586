"""Data contracts: what a raw file looks like, what must hold in it, what a model may read.

A contract is a closed YAML file in `data_contracts/` (its README says how to write one). Reading
it needs neither a data engine nor Great Expectations, so every room may import this module.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from mutualctr.closed import Closed, nearest, parse, read_yaml
from mutualctr.data.rules import INTEGER_RULES, RULES, Rule
from mutualctr.errors import ConfigError

CONTRACTS = Path(__file__).resolve().parents[2] / "data_contracts"

ROW_COLUMN = "row"
"""The column ingest adds to the events: the number of the data row in the source file, from 1."""


class Format(Closed):
    """How a line is cut into values. There is no quoting: every byte means itself."""

    delimiter: Literal["tab", "comma"]
    header: bool
    missing: str
    """The text that stands for a missing value."""

    @property
    def separator(self) -> str:
        """The delimiter as a character."""
        return {"tab": "\t", "comma": ","}[self.delimiter]


class Column(Closed):
    """One column of the raw file and of the events."""

    name: str
    type: Literal["integer", "text"]
    role: Literal["label", "number", "category", "time", "ignored"]


class Feature(Closed):
    """One field of the models, and how a raw value becomes its token.

    category     the value as text
    log_squared  x > 2 → floor(ln(x)²), else the integer itself (Criteo's numbers)
    log          the power of two below |x|, with the sign
    quantile     one of `buckets` that hold about equally many train rows
    hour_of_day  HH of YYMMDDHH
    weekday      the day of the week of YYMMDDHH
    weekend      whether that day is a Saturday or a Sunday

    A missing value never reaches the transform: it has an id of its own.
    """

    name: str
    column: str
    transform: Literal[
        "category", "log_squared", "log", "quantile", "hour_of_day", "weekday", "weekend"
    ]
    buckets: int | None = Field(default=None, ge=2)
    """How many, for quantile; null for every other transform."""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Feature":
        if (self.transform == "quantile") != (self.buckets is not None):
            needs = "needs" if self.buckets is None else "takes no"
            raise ValueError(f"{self.transform} {needs} `buckets`.")
        return self


class Sequence(Closed):
    """Earlier items of a user, as one more input that shares the vocabulary of a field.

    Given either by columns that hold the items, oldest first, or by `user`: then they are the items
    that user clicked before the row, in the order of the contract's `time`.
    """

    name: str
    transform: Literal["sequence"]
    of: str
    """The feature, a category, whose vocabulary it shares."""
    length: int = Field(ge=1)
    """How many items at most; the last ones are kept."""
    columns: tuple[str, ...] | None = None
    padding: str | None = None
    """The text in `columns` that means no item, beside the contract's missing text."""
    user: str | None = None
    """The column that says who."""

    @model_validator(mode="after")
    def _from_one_place(self) -> "Sequence":
        if (self.columns is None) == (self.user is None):
            raise ValueError("give either `columns` (of items) or `user` (a column), not both.")
        if self.columns is None and self.padding is not None:
            raise ValueError("`padding` is a text in `columns`; leave it out beside `user`.")
        if self.columns is not None and self.length > len(self.columns):
            raise ValueError(f"{len(self.columns)} columns cannot fill a length of {self.length}.")
        return self


def _as_rule(value: Any) -> Any:
    """A rule that was written out as plain data, read back as its own class."""
    return RULES[value["rule"]].model_validate(value) if isinstance(value, dict) else value


class Contract(Closed):
    """A data contract with its ranges written out: one column, rule, feature per entry."""

    name: str
    description: str
    format: Format
    time: str
    """The column that orders rows in time, or `row` where the file is in time order."""
    columns: tuple[Column, ...]
    """In the order of the file."""
    expectations: tuple[Annotated[SerializeAsAny[Rule], BeforeValidator(_as_rule)], ...]
    common_features: tuple[Feature, ...]
    alternatives: dict[str, tuple[Feature, ...]]
    """Named sets of features to choose one from; the first is the contract's own choice."""
    sequences: tuple[Sequence, ...] = ()
    """Those of the common features whose transform is sequence."""

    @property
    def label(self) -> str:
        """Name of the column that holds the click."""
        return next(column.name for column in self.columns if column.role == "label")

    def features(self, alternative: str | None) -> list[Feature]:
        """The models' fields, with the named alternative or the contract's own.

        Raises ConfigError if the contract has no alternative of that name.
        """
        if alternative is None:
            alternative = next(iter(self.alternatives), None)
        elif alternative not in self.alternatives:
            known = ", ".join(self.alternatives) or "none"
            raise ConfigError(
                f"Contract {self.name} has no feature alternative `{alternative}`; it has: {known}."
            )
        return [*self.common_features, *self.alternatives.get(alternative, ())]

    @model_validator(mode="after")
    def _holds_together(self) -> "Contract":
        _check_columns(self)
        for feature_set in ("common_features", *self.alternatives):
            _check_features(self, feature_set)
        for sequence in self.sequences:
            _check_sequence(self, sequence)
        for rule in self.expectations:
            if rule.column is not None:
                column = _known_column(self, rule.column, "an expectation")
                if isinstance(rule, INTEGER_RULES) and column.type != "integer":
                    raise ValueError(
                        f"the rule {rule.rule} needs an integer column, {column.name} is text."
                    )
        return self


def load_contract(name_or_path: str) -> Contract:
    """Read the contract of that name in `data_contracts/`, or the YAML file at that path.

    Raises ConfigError: no such contract (the message lists those that exist), a key that is not
    known (it names the nearest), a rule or feature about a column that is not there.
    """
    path = _contract_file(name_or_path)
    raw = read_yaml(path)
    parsed: dict[str, Any] = dict(raw)
    parsed["columns"] = [
        parse(Column, entry, where) for entry, where in _entries(raw, "columns", "name", path)
    ]
    parsed["expectations"] = [
        parse(_rule_class(entry, where), entry, where)
        for entry, where in _entries(raw, "expectations", "column", path)
    ]
    common = _features(raw, "common_features", path)
    parsed["common_features"] = [entry for entry in common if isinstance(entry, Feature)]
    parsed["sequences"] = [entry for entry in common if isinstance(entry, Sequence)]
    alternatives = raw.get("alternatives", {})
    if not isinstance(alternatives, dict):
        raise ConfigError(f"{path}: `alternatives` must hold `name: [features]` pairs.")
    parsed["alternatives"] = {name: _features(alternatives, name, path) for name in alternatives}
    return parse(Contract, parsed, str(path))


def expand(names: str | list[str]) -> list[str]:
    """Write ranges out: `["hour", "C1..C3"]` → `["hour", "C1", "C2", "C3"]`.

    Raises ValueError for a range that is not ascending with one prefix.
    """
    if isinstance(names, list):
        return [name for part in names for name in expand(part)]
    if ".." not in names:
        return [names]
    span = re.fullmatch(r"(\D*)(\d+)\.\.\1(\d+)", names)
    if span is None or int(span[2]) > int(span[3]):
        raise ValueError(f"`{names}` is no ascending range of one prefix, such as I1..I13.")
    return [f"{span[1]}{number}" for number in range(int(span[2]), int(span[3]) + 1)]


def _contract_file(name_or_path: str) -> Path:
    if name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    known = sorted(path.stem for path in CONTRACTS.glob("*.yaml"))
    if name_or_path not in known:
        raise ConfigError(
            f"There is no data contract `{name_or_path}`; {CONTRACTS} has {', '.join(known)}."
        )
    return CONTRACTS / f"{name_or_path}.yaml"


def _entries(raw: dict, key: str, spread: str, path: Path) -> list[tuple[dict, str]]:
    """The entries of a list, one for each name in their `spread` key, and where each stands."""
    listed = raw.get(key)
    if not isinstance(listed, list):
        raise ConfigError(f"{path}: `{key}` must be a list; add it.")
    entries = []
    for number, entry in enumerate(listed, start=1):
        where = f"{path}: {key}, entry {number}"
        if not isinstance(entry, dict):
            raise ConfigError(f"{where}: must hold `key: value` pairs.")
        if not _spreads(entry.get(spread)):
            entries.append((entry, where))
            continue
        try:
            names = expand(entry[spread])
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None
        entries += [({**entry, spread: name}, where) for name in names]
    return entries


def _spreads(names: Any) -> bool:
    return isinstance(names, str) or (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    )


def _rule_class(entry: dict, where: str) -> type[Rule]:
    rule = entry.get("rule")
    if rule not in RULES:
        raise ConfigError(f"{where}: there is no rule `{rule}`; {nearest(str(rule), list(RULES))}")
    return RULES[rule]


def _features(raw: dict, key: str, path: Path) -> list[Feature | Sequence]:
    """Features of one list; a feature without a name is called like its column."""
    return [
        _sequence(entry, where)
        if entry.get("transform") == "sequence"
        else parse(Feature, {"name": entry.get("column"), **entry}, where)
        for entry, where in _entries(raw, key, "column", path)
    ]


def _sequence(entry: dict, where: str) -> Sequence:
    columns = entry.get("columns")
    if _spreads(columns):
        try:
            entry = {**entry, "columns": expand(columns)}
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None
    return parse(Sequence, entry, where)


def _known_column(contract: Contract, name: str, what: str) -> Column:
    for column in contract.columns:
        if column.name == name:
            return column
    names = [column.name for column in contract.columns]
    raise ValueError(f"{what} names the column `{name}`; {nearest(name, names)}")


def _check_columns(contract: Contract) -> None:
    names = [column.name for column in contract.columns]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the column {name} is listed twice; keep one.")
    if ROW_COLUMN in names:
        raise ValueError(f"no column may be called {ROW_COLUMN}: ingest adds one of that name.")
    labels = [column for column in contract.columns if column.role == "label"]
    if len(labels) != 1 or labels[0].type != "integer":
        raise ValueError("exactly one column must have the role label, and it must be integer.")
    if contract.time != ROW_COLUMN:
        column = _known_column(contract, contract.time, "`time`")
        if column.role != "time" or column.type != "integer":
            raise ValueError(f"`time` names {column.name}, no integer column of role time.")


def _check_features(contract: Contract, feature_set: str) -> None:
    own = contract.alternatives.get(feature_set, ())
    names = [feature.name for feature in (*contract.common_features, *own)]
    for feature in (*contract.common_features, *own):
        column = _known_column(contract, feature.column, f"a feature of {feature_set}")
        if column.role in ("label", "ignored"):
            raise ValueError(f"{column.name} has the role {column.role}: it cannot be a feature.")
        if feature.transform != "category" and column.type != "integer":
            raise ValueError(f"{feature.transform} needs an integer column, {column.name} is text.")
        if names.count(feature.name) > 1:
            raise ValueError(f"two features are called {feature.name}; rename one.")


def _check_sequence(contract: Contract, sequence: Sequence) -> None:
    features = {feature.name: feature for feature in contract.common_features}
    names = [*features, *(other.name for other in contract.sequences)]
    if names.count(sequence.name) > 1:
        raise ValueError(f"two features are called {sequence.name}; rename one.")
    shared = features.get(sequence.of)
    if shared is None or shared.transform != "category":
        raise ValueError(
            f"the sequence {sequence.name} shares the vocabulary of `{sequence.of}`, which is no "
            "category among the common features."
        )
    item = _known_column(contract, shared.column, f"the feature {shared.name}")
    for name in sequence.columns or ():
        if _known_column(contract, name, f"the sequence {sequence.name}").type != item.type:
            raise ValueError(f"{name} and {item.name} share a vocabulary but not a type.")
    if sequence.user is not None:
        _known_column(contract, sequence.user, f"the sequence {sequence.name}")
