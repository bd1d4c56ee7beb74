"""Checks with a path: each takes a JSON value and where it stood, and returns it normalised or raises InvalidRequest.

The sentences and codes are the ones that OpenAI's clients and their users know. Checks are plain functions, made specific with
`functools.partial`, so that a table of them reads as a schema.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from shared.errors import InvalidRequest
from shared.items import Json

Check: TypeAlias = Callable[[Any, str], Any]

MAX_TEXT: Final = 10_485_760
"""Characters that one string may hold."""

MAX_ELEMENTS: Final = 100_000
"""Elements that one list may hold, where nothing smaller is said."""

YEARS: Final = range(1000, 9000)
"""In these a time can be shifted, shown and stored without leaving what Python and Postgres know."""

_KINDS: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def wrong_type(value: object, path: str, expected: str) -> InvalidRequest:
    """Say which type was expected, and which one came."""
    got = _KINDS.get(type(value), "something else")
    return InvalidRequest(
        f"Invalid type for '{path}': expected {expected}, but got {got} instead.", param=path, code="invalid_type"
    )


def missing(path: str) -> InvalidRequest:
    """Say that a required member is not there."""
    return InvalidRequest(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


def bad_value(value: str, path: str, allowed: Collection[str]) -> InvalidRequest:
    """Say that a value is none of the supported ones, and which they are."""
    return InvalidRequest(
        f"Invalid value: '{shown(value)}'. Supported values are: {listed(allowed)}.", param=path, code="invalid_value"
    )


def unknown(path: str, allowed: Collection[str], *, moved: Mapping[str, str] | None = None) -> InvalidRequest:
    """Say that a member is not known, with the one that was probably meant: two edits away at most, or moved."""
    prefix, dot, name = path.rpartition(".")
    close = (moved or {}).get(name) or min(allowed, key=lambda known: _distance(name, known), default="")
    hint = f" Did you mean '{prefix}{dot}{close}'?" if name in (moved or {}) or _distance(name, close) <= 2 else ""
    path = shown(path)
    return InvalidRequest(f"Unknown parameter: '{path}'.{hint}", param=path, code="unknown_parameter")


def unsupported(value: Any, path: str, *, why: str) -> None:
    """Refuse a known parameter that would change the answer if it were ignored; an empty one asks for nothing."""
    if value:
        raise InvalidRequest(f"Unsupported parameter: '{path}'. {why}", param=path, code="unsupported_parameter")


def shown(text: str, *, most: int = 100) -> str:
    """Shorten what a client sent, so that an error stays readable."""
    return text if len(text) <= most else f"{text[:most]}…"


def listed(values: Collection[str]) -> str:
    """Write `'a', 'b', and 'c'`."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def boolean(value: Any, path: str) -> bool:
    """Take true or false."""
    if type(value) is not bool:
        raise wrong_type(value, path, "a boolean")
    return value


def integer(value: Any, path: str, *, low: int, high: int) -> int:
    """Take a whole number between two bounds, which are allowed themselves."""
    if type(value) is not int:
        raise wrong_type(value, path, "an integer")
    _within(value, path, low, high, "integer")
    return value


def number(value: Any, path: str, *, low: float, high: float) -> float:
    """Take a number between two bounds, which are allowed themselves."""
    if type(value) is not float and type(value) is not int:
        raise wrong_type(value, path, "a decimal")
    _within(value, path, low, high, "decimal")
    return float(value)


def _within(value: float, path: str, low: float, high: float, kind: str) -> None:
    """Compare with the bounds. Written so that NaN, which compares with nothing, is refused."""
    if low <= value <= high:
        return
    where, code, bound = (
        ("above maximum", "above_max", f"<= {high}") if value > high else ("below minimum", "below_min", f">= {low}")
    )
    raise InvalidRequest(
        f"Invalid '{path}': {kind} {where} value. Expected a value {bound}, but got {shown(str(value))} instead.",
        param=path,
        code=f"{kind}_{code}_value",
    )


def string(value: Any, path: str, *, least: int = 0, most: int = MAX_TEXT, pattern: re.Pattern[str] | None = None) -> str:
    """Take a string of so many characters, that matches a pattern if one is given."""
    if type(value) is not str:
        raise wrong_type(value, path, "a string")
    if len(value) > most:
        raise InvalidRequest(
            f"Invalid '{path}': string too long. Expected a string with maximum length {most}, "
            f"but got a string with length {len(value)} instead.",
            param=path,
            code="string_above_max_length",
        )
    if len(value) < least:
        raise InvalidRequest(
            f"Invalid '{path}': empty string. Expected a string with minimum length {least}, but got an empty string instead.",
            param=path,
            code="empty_string",
        )
    if pattern and not pattern.fullmatch(value):
        raise InvalidRequest(
            f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '{pattern.pattern}'.",
            param=path,
            code="invalid_value",
        )
    return value


def choice(value: Any, path: str, *, allowed: Collection[str]) -> str:
    """Take one of a few words."""
    if type(value) is not str:
        raise wrong_type(value, path, f"one of {listed(allowed)}")
    if value not in allowed:
        raise bad_value(value, path, allowed)
    return value


def array(value: Any, path: str, *, of: Check, most: int = MAX_ELEMENTS, expected: str = "an array") -> list[Any]:
    """Take a list of at most so many elements, each checked under `path[n]`."""
    if type(value) is not list:
        raise wrong_type(value, path, expected)
    bounded(value, path, most=most)
    return [of(element, f"{path}[{index}]") for index, element in enumerate(value)]


def bounded(value: Collection[Any], path: str, *, most: int) -> None:
    """Refuse a list of more than so many elements."""
    if len(value) > most:
        raise InvalidRequest(
            f"Invalid '{path}': array too long. Expected an array with maximum length {most}, "
            f"but got an array with length {len(value)} instead.",
            param=path,
            code="array_above_max_length",
        )


def mapping(value: Any, path: str) -> Json:
    """Take an object with whatever members."""
    if type(value) is not dict:
        raise wrong_type(value, path, "an object")
    return value


def record(value: Any, path: str, *, members: Mapping[str, Check], required: tuple[str, ...] = (), closed: bool = True) -> Json:
    """Take an object with these members, where null is as good as absent.

    A closed record has no others, and returns only what was given; an open one keeps every member as it came.
    """
    mapping(value, path)
    for name in required:
        if value.get(name) is None:
            raise missing(f"{path}.{name}")
    if closed and (extra := value.keys() - members.keys()):
        raise unknown(f"{path}.{min(extra)}", members)
    checked = {
        name: check(given, f"{path}.{name}") for name, check in members.items() if (given := value.get(name)) is not None
    }
    return checked if closed else {**value, **checked}


def body(value: Json, *, members: Mapping[str, Check], required: tuple[str, ...] = ()) -> Json:
    """Take a whole body with these members: as a closed record, with paths that begin at its members."""
    for name in required:
        if value.get(name) is None:
            raise missing(name)
    for name in value:
        if name not in members:
            raise unknown(name, members)
    return {name: check(given, name) for name, check in members.items() if (given := value.get(name)) is not None}


def _distance(one: str, other: str) -> int:
    """Count the edits (insert, delete, replace a character) between two words; words of very different length are just far."""
    if abs(len(one) - len(other)) > 2:
        return 3
    previous = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        current = [row]
        for column, right in enumerate(other, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (left != right)))
        previous = current
    return previous[-1]


def instant(value: Any, path: str) -> datetime:
    """Take Unix seconds, or a time in ISO 8601; without a zone it is UTC."""
    try:
        read = datetime.fromtimestamp(value, UTC) if type(value) in {int, float} else datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _no_time(path) from None
    if read.year not in YEARS:
        raise _no_time(path)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _no_time(path: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{path}': expected a time such as '2026-01-31T12:00:00Z', or Unix seconds.", param=path, code="invalid_value"
    )
