"""A data contract as people write it: a YAML file whose entries may stand for ranges of columns.

Such files lie in `data_contracts/`; its README says how to write one.
"""

import re
from pathlib import Path
from typing import Any

from mutualctr.closed import nearest, parse, read_yaml
from mutualctr.data.contract import Column, Contract, Feature, Sequence
from mutualctr.data.rules import RULES, Rule
from mutualctr.errors import ConfigError

CONTRACTS = Path(__file__).resolve().parents[2] / "data_contracts"


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
    if not any(column.role == "label" for column in parsed["columns"]):
        raise ConfigError(f"{path}: no column has the role label; give it to the one with clicks.")
    parsed["expectations"] = [
        parse(_rule_class(entry, where), entry, where)
        for entry, where in _entries(raw, "expectations", "column", path)
    ]
    parsed["common_features"] = _features(raw, "common_features", path)
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
