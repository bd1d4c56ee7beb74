"""A form's text fields as the members of a JSON body: typed where OpenAI's are, and Rondo's own in either of two spellings.

A member that is an object is given as JSON text, or as OpenAI's SDKs write it: `retry[count]=2`, `fallbacks[][model]=a/b`.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import orjson

from api.create import check, routing
from api.create.request import object_of
from api.router.envelope import OWN
from shared.errors import InvalidRequest
from shared.items import Json

Columns: TypeAlias = dict[tuple[str, ...], list[str]]
"""Texts by where they stand in a member: `[a][][b]` is `("a", "", "b")`, of which the empty name is any element of a list."""

_TEXTS: Final = frozenset({"name", "template_engine"})
"""Rondo's members that are texts."""
_STEP: Final = re.compile(r"\[([^\[\]]*)\]")
_PATH: Final = re.compile(rf"([^\[\]]+)((?:{_STEP.pattern.replace('(', '(?:')})+)")
_DEPTH: Final = 8
_NUMBER: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")


def members(pairs: Iterable[tuple[str, str]]) -> Json:
    """Read fields in their order; one that is given more than once, or whose name ends in `[]`, is a list.

    Raises InvalidRequest.
    """
    given: dict[str, list[str]] = {}
    nested: dict[str, Columns] = {}
    for name, text in pairs:
        path = _PATH.fullmatch(name)
        if path is not None and _is_own(path[1]):
            nested.setdefault(path[1], {}).setdefault(_steps(path[2], name), []).append(text)
        else:
            given.setdefault(name, []).append(text)
    found: Json = {name: _member(name, texts) for name, texts in given.items()}
    for name, columns in nested.items():
        if name in found:
            raise _unreadable(name, "it is given in two ways")
        found[name] = _object(columns, name)
    return _storable(found)


def _steps(written: str, name: str) -> tuple[str, ...]:
    steps = tuple(_STEP.findall(written))
    if len(steps) > _DEPTH:
        raise _unreadable(name, f"it is nested more than {_DEPTH} levels deep; give it as JSON")
    return steps


def _is_own(name: str) -> bool:
    return name in OWN or name == "orq"


def _member(name: str, texts: list[str]) -> Any:
    values = [_value(name, text) for text in texts]
    return values if len(values) > 1 or name.endswith("[]") else values[0]


def _value(name: str, text: str) -> Any:
    convert = _TYPES.get(name) or (orjson.loads if _is_own(name) and name not in _TEXTS else str)
    try:
        return convert(text)
    except ValueError:
        raise _unreadable(name, f"{check.shown(text)!r} is not {_EXPECTED.get(convert, 'JSON')}") from None


def _object(columns: Columns, path: str) -> Any:
    """Put a member together that was spelt with brackets. The n-th text of each name belongs to a list's n-th element."""
    if () in columns:
        if len(columns) > 1 or len(columns[()]) > 1:
            raise _unreadable(path, "it is given more than once")
        return _leaf(columns[()][0], path)
    names = {steps[0] for steps in columns}
    below = {name: {steps[1:]: texts for steps, texts in columns.items() if steps[0] == name} for name in names}
    if "" not in below:
        return {name: _object(inner, f"{path}[{name}]") for name, inner in below.items()}
    return _list(below[""], path, alone=len(below) == 1)


def _list(columns: Columns, path: str, *, alone: bool) -> list[Any]:
    """Put a list together. Raises InvalidRequest where it is open which element a text belongs to."""
    lengths = {len(texts) for texts in columns.values()}
    if not alone or len(lengths) > 1:
        raise _unreadable(path, "its elements cannot be told apart; give it as JSON")
    return [_object({steps: [texts[at]] for steps, texts in columns.items()}, f"{path}[{at}]") for at in range(lengths.pop())]


def _leaf(text: str, path: str) -> Any:
    """Read a text within a member: the numbers of a policy are numbers, everything else is text."""
    policy = any(path.startswith((f"{name}[", f"orq[{name}][")) for name in routing.CHECKS)
    if not policy or _NUMBER.fullmatch(text) is None:
        return text
    return float(text) if "." in text else int(text)


def _storable(found: Json) -> Json:
    """Hold the fields to what is asked of a body in JSON. Raises InvalidRequest."""
    try:
        raw = orjson.dumps(found)
    except orjson.JSONEncodeError:
        raise InvalidRequest("The form's fields are not valid Unicode, or hold a number that is too large.") from None
    return object_of(raw)


def _unreadable(name: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{check.shown(name)}': {why}.", param=check.shown(name).partition("[")[0], code="invalid_value"
    )


def _flag(text: str) -> bool:
    match text.strip().lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise ValueError(text)


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


_TYPES: Final[Mapping[str, Callable[[str], Any]]] = {
    "n": int,
    "temperature": _number,
    "output_compression": int,
    "partial_images": int,
    "stream": _flag,
    "diarize": _flag,
    "tag_audio_events": _flag,
    "enable_logging": _flag,
    "num_speakers": int,
}
_EXPECTED: Final[Mapping[Any, str]] = {int: "a whole number", _number: "a number", _flag: "'true' or 'false'"}
