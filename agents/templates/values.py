"""What variables hold: JSON values, and secrets, of which a template sees nothing but the name."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

import orjson

NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]*"
PATH: Final = rf"{NAME}(?:\.[A-Za-z0-9_-]+)*"
"""`name`, `name.member` or `name.0.member`."""

MISSING: Final = object()
"""What `lookup` finds where nothing is: None is a value."""


class Refused(Exception):
    """What a template asks for is not allowed. The message is a sentence; who catches it knows where."""


class Secret:
    """A variable whose value is not told: true, printed as its own placeholder, and good for nothing else."""

    __slots__ = ("name",)
    __hash__ = None  # type: ignore[assignment]  # a key of a mapping would be compared

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"{{{{{self.name}}}}}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        self.refuse()

    def refuse(self) -> NoReturn:
        """Say that there is nothing to be learned here."""
        raise Refused(f"{self.name!r} is secret: it can be tested for being there and printed as {self}, nothing else.")


def scope(variables: Mapping[str, Any], secret: Iterable[str]) -> dict[str, Any]:
    """Return what a template may see. The values of secret variables are not in it, so nothing can give them away."""
    hidden = {name: Secret(name) for name in secret}
    return {**{name: value for name, value in variables.items() if name not in hidden}, **hidden}


def lookup(value: Any, path: Iterable[str]) -> Any:
    """Follow keys and indexes into a JSON value; `MISSING` if they lead nowhere, the `Secret` if they lead into one."""
    for part in path:
        match value:
            case Secret():
                return value
            case Mapping():
                value = value.get(part, MISSING)
            case list() if re.fullmatch("[0-9]{1,9}", part) and int(part) < len(value):
                value = value[int(part)]
            case _:
                return MISSING
    return value


def plain(value: Any) -> str:
    """Write a value into text: strings as they are, None as nothing, other values as compact JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            return orjson.dumps(value).decode()
