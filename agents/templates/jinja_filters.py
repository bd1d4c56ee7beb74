"""Jinja's filters that are pure and bounded; no other exists. Each takes the budget, then what Jinja's takes."""

import html
import math
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import orjson

from agents.templates.budget import Budget
from agents.templates.jinja_lists import LISTS, scalars, take
from agents.templates.jinja_values import Missing, admit, integer, number, text, weigh
from agents.templates.values import MISSING, Refused, plain

Filter: TypeAlias = Callable[..., Any]

_MAX_DIGITS: Final = 64
_FORMAT: Final = re.compile(r"%(?:%|[-+ 0#]{0,3}[0-9]{0,2}(?:\.[0-9]{1,2})?[sdifFeEgGxX])|%")
"""Printf's conversions, with widths that do no harm; what is not one is found as a lone `%`."""


def default(budget: Budget, value: Any, other: Any = "", boolean: bool = False) -> Any:  # Jinja's
    """Give another value for what is missing, or, if asked to, for what is false."""
    return other if isinstance(value, Missing) or (boolean and not value) else value


def _made(function: Callable[..., str]) -> Filter:
    """Change text, to text of a length like its own."""

    def apply(budget: Budget, value: Any, *args: Any) -> str:
        made = function(_written(budget, value), *args)
        budget.make(len(made))
        return made

    return apply


def _written(budget: Budget, value: Any) -> str:
    weigh(budget, value)
    return plain(value)


def _trim(value: str, chars: str | None = None) -> str:
    return value.strip(chars)


def _replace(budget: Budget, value: Any, old: str, new: str, count: int | None = None) -> str:
    whole = _written(budget, value)
    found = whole.count(text(old)) if count is None else min(whole.count(text(old)), integer(count))
    budget.make(len(whole) + max(found, 0) * len(text(new)))
    return whole.replace(old, new, found)


def _truncate(value: str, length: int = 255, killwords: bool = False, end: str = "...", leeway: int = 5) -> str:  # Jinja's
    if len(value) <= length + leeway:
        return value
    kept = value[: max(length - len(end), 0)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + end


def _center(budget: Budget, value: Any, width: int = 80) -> str:
    budget.make(max(integer(width), 0))
    return _written(budget, value).center(width)


def _indent(budget: Budget, value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:  # Jinja's
    whole = _written(budget, value)
    lines = whole.count("\n") + 1
    budget.make((width if isinstance(width, int) else len(width)) * lines)
    space = " " * width if isinstance(width, int) else text(width)
    budget.make(len(whole))
    rest = [space + line if line.strip() or blank else line for line in whole.split("\n")[1:]]
    head = whole.split("\n", 1)[0]
    return "\n".join([space + head if first else head, *rest])


def _join(budget: Budget, value: Any, separator: str = "", attribute: str | int | None = None) -> str:
    parts = [_written(budget, each) for each in take(budget, value, attribute)]
    budget.make(sum(map(len, parts)) + len(parts) * len(text(separator)))
    return separator.join(parts)


def _split(budget: Budget, value: Any, separator: str | None = None, limit: int = -1) -> list[str]:
    whole = text(value)
    parts = whole.split(separator, limit)
    budget.tick(1 + len(parts) // 8)
    return parts


def _format(budget: Budget, value: Any, *args: Any) -> str:
    """Fill in printf's conversions, by position."""
    given = iter([plain(arg) if not isinstance(arg, int | float) else arg for arg in scalars(budget, list(args))])

    def convert(match: re.Match[str]) -> str:
        spec = match[0]
        if spec == "%%":
            return "%"
        arg = next(given, MISSING)
        if spec == "%" or arg is MISSING:
            raise Refused("The format does not fit its values.")
        written = spec % ((str(arg) if spec.endswith("s") else number(arg)),)
        budget.make(len(written))
        return written

    return _FORMAT.sub(convert, text(value))


def _json(budget: Budget, value: Any, indent: int | None = None) -> str:
    weigh(budget, value)
    made = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None).decode()
    budget.make(len(made))
    return made


def _length(budget: Budget, value: Any) -> int:
    if not isinstance(value, str | list | tuple | dict):
        raise Refused("Only text, a list or a mapping has a length.")
    return len(value)


def _round(budget: Budget, value: Any, precision: int = 0, method: str = "common") -> float:
    if not -15 <= integer(precision) <= 15:
        raise Refused("A number is rounded to 15 digits at most.")
    factor = 10.0**precision
    match method:
        case "common":
            return round(float(number(value)), precision)
        case "ceil":
            return math.ceil(number(value) * factor) / factor
        case "floor":
            return math.floor(number(value) * factor) / factor
        case _:
            raise Refused("A number is rounded by 'common', 'ceil' or 'floor'.")


def _int(budget: Budget, value: Any, other: int = 0) -> int:
    return int(_float(budget, value, float(number(other)))) if not _is_digits(value) else int(value)


def _is_digits(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"\s?[-+]?[0-9]{1,64}\s?", value) is not None)


def _float(budget: Budget, value: Any, other: float = 0.0) -> float:
    if isinstance(value, str) and len(value) > _MAX_DIGITS:
        return other
    try:
        return float(value)
    except (TypeError, ValueError):
        return other


def _items(budget: Budget, value: Any) -> list[list[Any]]:
    return [[key, each] for key, each in _mapping(value).items()]


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("Only a mapping has keys.")
    return value


def _dictsort(budget: Budget, value: Any) -> list[list[Any]]:
    return [[key, _mapping(value)[key]] for key in sorted(scalars(budget, list(_mapping(value))))]


def _get(budget: Budget, value: dict[str, Any], key: str, other: Any = None) -> Any:
    return value.get(key, other)


_upper, _lower, _title = _made(str.upper), _made(str.lower), _made(str.title)
_capitalize, _strip = _made(str.capitalize), _made(_trim)

METHODS: Final[dict[type, dict[str, Filter]]] = {
    str: {
        "upper": _upper,
        "lower": _lower,
        "title": _title,
        "capitalize": _capitalize,
        "strip": _strip,
        "lstrip": _made(str.lstrip),
        "rstrip": _made(str.rstrip),
        "replace": _replace,
        "split": _split,
        "join": lambda budget, value, parts: _join(budget, parts, value),
        "startswith": lambda _, value, start: value.startswith(text(start)),
        "endswith": lambda _, value, end: value.endswith(text(end)),
    },
    dict: {
        "items": _items,
        "keys": lambda _, value: list(value),
        "values": lambda _, value: list(value.values()),
        "get": _get,
    },
}
"""The methods that values have in templates, as filters."""


def _checked(function: Filter) -> Filter:
    def apply(budget: Budget, *args: Any, **kwargs: Any) -> Any:
        admit(budget, *args, *kwargs.values())
        return function(budget, *args, **kwargs)

    return apply


_PLAIN: Final[dict[str, Filter]] = {
    "abs": lambda _, value: abs(number(value)),
    "capitalize": _capitalize,
    "center": _center,
    "count": _length,
    "dictsort": _dictsort,
    "e": _made(html.escape),
    "escape": _made(html.escape),
    "float": _float,
    "format": _format,
    "indent": _indent,
    "int": _int,
    "items": _items,
    "join": _join,
    "length": _length,
    "lower": _lower,
    "replace": _replace,
    "round": _round,
    "split": _split,
    "string": _written,
    "title": _title,
    "tojson": _json,
    "trim": _strip,
    "truncate": _made(_truncate),
    "upper": _upper,
    "urlencode": _made(quote),
    "wordcount": lambda budget, value: len(_split(budget, value)),
    **LISTS,
}


def _map(budget: Budget, value: Any, name: str | None = None, *args: Any, attribute: str | None = None) -> list[Any]:
    """Take a member of each item, or put each through a filter."""
    taken = take(budget, value, attribute)
    if name is None:
        return taken
    if name not in FILTERS or name == "map":
        raise Refused("There is no such filter to map with.")
    budget.tick(2 * len(taken))
    return [FILTERS[name](budget, each, *args) for each in taken]


FILTERS: Final[dict[str, Filter]] = {
    **{name: _checked(function) for name, function in _PLAIN.items()},
    "map": _checked(_map),
    "default": default,
    "d": default,
}
