"""Closed, frozen records parsed from YAML: a misspelt key fails and names the nearest one."""

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mutualctr.errors import ConfigError


class Closed(BaseModel):
    """A record without room for anything it does not declare."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Record = TypeVar("Record", bound=BaseModel)


def parse(record: type[Record], raw: Any, where: str) -> Record:
    """Build `record` from plain YAML data; `where` names the file (and section) in errors.

    Raises ConfigError with one sentence about the first thing wrong.
    """
    try:
        return record.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_sentence(record, error, where)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping, refusing a missing file, broken syntax or anything but a mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; check the path.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise ConfigError(f"{path}:{line} not valid YAML ({problem}); mend the syntax.") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must hold `key: value` pairs at the top level.")
    return content


def nearest(word: str, known: list[str]) -> str:
    """Say which known word was probably meant, or list them all."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`?" if close else f"known are: {', '.join(sorted(known))}."


def _sentence(record: type[BaseModel], error: ValidationError, where: str) -> str:
    first = _cause(error)
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _keys_at(record, first["loc"][:-1])
        return f"{where}: `{place}` is not a known key; {nearest(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"{where}: `{place}` is missing; add it."
    message = first["msg"].removeprefix("Value error, ")
    place = f"`{place}`" if place else "this section"
    if first["type"] == "value_error":
        return f"{where}: {place}: {message}"
    return f"{where}: {place} is {first['input']!r}: {message[0].lower()}{message[1:]}."


def _cause(error: ValidationError) -> Any:
    """The first error; of a misspelt key and the right one, which is then missing, the slip."""
    first, *others = error.errors()
    *place, name = first["loc"] or ("",)
    for other in others if first["type"] == "missing" else ():
        if other["type"] == "extra_forbidden" and list(other["loc"][:-1]) == place:
            if difflib.get_close_matches(str(other["loc"][-1]), [str(name)], n=1, cutoff=0.5):
                return other
    return first


def _keys_at(record: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The field names of the record that lies at `place` below `record`."""
    for part in place:
        if isinstance(part, int):
            continue
        annotation = record.model_fields[part].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        nested = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        assert nested, f"{record.__name__}.{part} holds no nested record"
        record = nested[0]
    return list(record.model_fields)
