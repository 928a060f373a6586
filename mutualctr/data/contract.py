"""Data contracts: what a raw file looks like, what must hold in it, what a model may read.

The record and what must hold between its parts; `contract_file.py` reads it. It needs neither a
data engine nor Great Expectations, so every room may import this module.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from mutualctr.closed import Closed, nearest
from mutualctr.data.rules import INTEGER_RULES, RULES, OneOf, Rule, Severity
from mutualctr.errors import ConfigError

ROW_COLUMN = "row"
"""The column ingest adds to the events: the number of the data row in the source file, from 1."""
BROKEN_COLUMN = "broken_rules"
"""The column that quarantine.parquet adds: the rules a row breaks."""


class Format(Closed):
    """How rows are written. There is no quoting: every byte means itself.

    delimited  one row a line, cut at `delimiter`, with or without a `header` of names
    atomic     RecBole's atomic files: tabs, and a header of name:type
    libfm      `±1 id:1 id:1 …`: the k-th id is the k-th column's; −1 becomes the label 0
    parquet    columns by name

    Parquet files and database tables bring names and types of their own; of a format they use
    only `missing`.
    """

    kind: Literal["delimited", "atomic", "libfm", "parquet"] = "delimited"
    delimiter: Literal["tab", "comma"] | None = None
    header: bool | None = None
    missing: str | None = None
    """The text that stands for a missing value; libfm has none."""

    @property
    def separator(self) -> str:
        """The delimiter as a character."""
        if self.kind == "libfm":
            return " "
        return "," if self.delimiter == "comma" else "\t"

    @property
    def has_header(self) -> bool:
        """Whether the first line names the columns."""
        return self.kind == "atomic" or bool(self.header)

    @model_validator(mode="after")
    def _has_its_keys(self) -> "Format":
        needed = {
            "delimited": ("delimiter", "header", "missing"),
            "atomic": ("missing",),
            "libfm": (),
            "parquet": ("missing",),
        }[self.kind]
        for key in ("delimiter", "header", "missing"):
            given = getattr(self, key) is not None
            if given != (key in needed):
                raise ValueError(f"{self.kind} {'takes no' if given else 'needs'} `{key}`.")
        return self


class Derived(Closed):
    """A label that is read off another column: 1 where its number is at least this, else 0."""

    column: str
    at_least: float


class Joined(Closed):
    """A file beside the source with one row a key, whose columns join the rows of the source."""

    file: str
    """Its name, without the .gz or .zst that it may have."""
    key: str
    """The column that both files have."""


class Column(Closed):
    """One column of the events: of the raw file, or joined to it, or derived from it."""

    name: str
    type: Literal["integer", "text"]
    role: Literal["label", "number", "category", "time", "id", "ignored"]
    """`id` names the row to whoever reads its score; like `ignored` it is no feature."""
    file: str | None = None
    """The joined file that has it; null: the source's own files."""
    derived: Derived | None = None
    """For a label that no file has."""


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


Bounds = dict[Severity, Annotated[float, Field(gt=0)]]


class DriftBounds(Closed):
    """How far the events may move from a snapshot of earlier ones, by severity; all optional.

    `mutualctr/data/drift.py` has the formulas.
    """

    psi: Bounds | None = None
    """Population stability index of each number and category."""
    jensen_shannon: Bounds | None = None
    """Divergence in bits, 0 to 1, of the same."""
    unseen_share: Bounds | None = None
    """Share of a category's values that the snapshot does not hold, 0 to 1."""
    click_rate: Bounds | None = None
    """Absolute change of the click rate, 0 to 1."""


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
    """Those of the source in the order of the file."""
    joined: tuple[Joined, ...] = ()
    expectations: tuple[Annotated[SerializeAsAny[Rule], BeforeValidator(_as_rule)], ...]
    common_features: tuple[Feature | Sequence, ...]
    alternatives: dict[str, tuple[Feature | Sequence, ...]]
    """Named sets of features to choose one from; the first is the contract's own choice."""
    drift: DriftBounds | None = None

    @property
    def label(self) -> str:
        """Name of the column that holds the click."""
        return next(column.name for column in self.columns if column.role == "label")

    @property
    def column_types(self) -> dict[str, str]:
        """The type of each column, by name."""
        return {column.name: column.type for column in self.columns}

    def of_file(self, name: str | None) -> "Contract":
        """The contract of one file alone: its own columns; null is the source's own files."""
        own = [c for c in self.columns if c.file == name and c.derived is None]
        if name is not None:
            key = next(entry.key for entry in self.joined if entry.file == name)
            own.insert(0, next(c for c in self.columns if c.name == key))
        return self.model_copy(update={"columns": tuple(own)})

    @property
    def has_label(self) -> bool:
        """Whether the rows say if there was a click; `label` has a name only then."""
        return any(column.role == "label" for column in self.columns)

    @property
    def row_id(self) -> str | None:
        """Name of the column that identifies a row to people, where there is one."""
        return next((column.name for column in self.columns if column.role == "id"), None)

    def without_label(self) -> "Contract":
        """The same for a source that has no label column yet; nothing is expected of it."""
        label = self.label
        return self.model_copy(
            update={
                "columns": tuple(c for c in self.columns if c.name != label),
                "expectations": tuple(r for r in self.expectations if r.column != label),
                "drift": self.drift and self.drift.model_copy(update={"click_rate": None}),
            }
        )

    def features(self, alternative: str | None) -> list[Feature]:
        """The models' plain fields, with the named alternative or the contract's own.

        Raises ConfigError if the contract has no alternative of that name.
        """
        return [entry for entry in self._inputs(alternative) if isinstance(entry, Feature)]

    def sequences(self, alternative: str | None) -> tuple[Sequence, ...]:
        """The sequences among the same inputs."""
        return tuple(entry for entry in self._inputs(alternative) if isinstance(entry, Sequence))

    def _inputs(self, alternative: str | None) -> tuple[Feature | Sequence, ...]:
        if alternative is None:
            alternative = next(iter(self.alternatives), None)
        elif alternative not in self.alternatives:
            known = ", ".join(self.alternatives) or "none"
            raise ConfigError(
                f"Contract {self.name} has no feature alternative `{alternative}`; it has: {known}."
            )
        return (*self.common_features, *self.alternatives.get(alternative, ()))

    @model_validator(mode="after")
    def _holds_together(self) -> "Contract":
        _check_columns(self)
        _check_joined(self)
        for feature_set in self.alternatives or (None,):
            _check_inputs(self, feature_set)
        for rule in self.expectations:
            if rule.column is not None:
                column = _known_column(self, rule.column, "an expectation")
                if isinstance(rule, INTEGER_RULES) and column.type != "integer":
                    raise ValueError(
                        f"the rule {rule.rule} needs an integer column, {column.name} is text."
                    )
                if isinstance(rule, OneOf):
                    _check_values(rule, column)
        return self


def _known_column(contract: Contract, name: str, what: str) -> Column:
    for column in contract.columns:
        if column.name == name:
            return column
    names = [column.name for column in contract.columns]
    raise ValueError(f"{what} names the column `{name}`; {nearest(name, names)}")


def _check_values(rule: OneOf, column: Column) -> None:
    needed = "text" if isinstance(rule.values[0], str) else "integer"
    if column.type != needed:
        raise ValueError(
            f"one_of gives {column.name} {needed} values, but it is a column of {column.type}s."
        )


def _check_columns(contract: Contract) -> None:
    names = [column.name for column in contract.columns]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the column {name} is listed twice; keep one.")
    folded = [name.casefold() for name in names]
    for name in names:
        if folded.count(name.casefold()) > 1:
            raise ValueError(
                f"{name} has a namesake in other capitals, which SQL cannot tell apart."
            )
    for added in (ROW_COLUMN, BROKEN_COLUMN):
        if added in folded:
            raise ValueError(f"no column may be called {added}: one of that name is added.")
    labels = [column for column in contract.columns if column.role == "label"]
    if len(labels) > 1 or any(label.type != "integer" for label in labels):
        raise ValueError("exactly one column must have the role label, and it must be integer.")
    if [column.role for column in contract.columns].count("id") > 1:
        raise ValueError("two columns have the role id; keep one and make the other ignored.")
    if contract.time != ROW_COLUMN:
        column = _known_column(contract, contract.time, "`time`")
        if column.role != "time" or column.type != "integer":
            raise ValueError(f"`time` names {column.name}, no integer column of role time.")


def _check_joined(contract: Contract) -> None:
    own = [c.name for c in contract.columns if c.file is None and c.derived is None]
    files = [entry.file for entry in contract.joined]
    for entry in contract.joined:
        if files.count(entry.file) > 1:
            raise ValueError(f"the file {entry.file} is joined twice; keep one.")
        if entry.key not in own:
            raise ValueError(f"`joined` names the key `{entry.key}`; {nearest(entry.key, own)}")
    if contract.joined and contract.format.kind not in ("delimited", "atomic"):
        raise ValueError("only delimited and atomic files can be joined.")
    for column in contract.columns:
        if column.file is not None and column.file not in files:
            raise ValueError(
                f"{column.name} lies in the file `{column.file}`, which `joined` does not list."
            )
        if column.derived is not None:
            if column.role != "label" or column.file is not None:
                raise ValueError(f"{column.name} is derived, which only a label can be.")
            if column.derived.column not in own:
                raise ValueError(
                    f"{column.name} is derived from `{column.derived.column}`; "
                    f"{nearest(column.derived.column, own)}"
                )
    if contract.format.kind == "libfm" and own[:1] != [contract.label]:
        raise ValueError("in libfm the first column is the label.")


def _check_inputs(contract: Contract, feature_set: str | None) -> None:
    features, sequences = contract.features(feature_set), contract.sequences(feature_set)
    names = [entry.name for entry in (*features, *sequences)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two features are called {name}; rename one.")
    for feature in features:
        column = _known_column(contract, feature.column, f"the feature {feature.name}")
        if column.role in ("label", "id", "ignored"):
            raise ValueError(f"{column.name} has the role {column.role}: it cannot be a feature.")
        if feature.transform != "category" and column.type != "integer":
            raise ValueError(f"{feature.transform} needs an integer column, {column.name} is text.")
    of = {feature.name: feature for feature in features}
    for sequence in sequences:
        _check_sequence(contract, sequence, of.get(sequence.of))


def _check_sequence(contract: Contract, sequence: Sequence, shared: Feature | None) -> None:
    what = f"the sequence {sequence.name}"
    if shared is None or shared.transform != "category":
        raise ValueError(
            f"{what} shares the vocabulary of `{sequence.of}`, which is no category beside it."
        )
    item = _known_column(contract, shared.column, f"the feature {shared.name}")
    for name in sequence.columns or ():
        if _known_column(contract, name, what).type != item.type:
            raise ValueError(f"{name} and {item.name} share a vocabulary but not a type.")
    if sequence.user is not None:
        _known_column(contract, sequence.user, what)
