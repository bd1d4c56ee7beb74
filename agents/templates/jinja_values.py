"""What a Jinja template may hold in its hands: JSON values, secrets, what is missing, and text that it has made itself."""

from types import NoneType
from typing import Any, Final

from jinja2 import StrictUndefined

from agents.templates.budget import Budget
from agents.templates.values import Refused, Secret

_SMALL: Final = frozenset({int, float, bool, NoneType})


class Missing(StrictUndefined):
    """What a name or a path stands for that leads to nothing. Anything but asking for it or a default is an error."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """The dotted name, as far as the template says it."""
        return str(self._undefined_name)

    @property
    def _undefined_message(self) -> str:
        return self.path


class Done(str):
    """Text of which every value was written as it has to be: of a macro, of a `set` block. It is not written twice."""

    __slots__ = ()


def admit(budget: Budget, *values: Any) -> None:
    """Count what it takes to go over values once, and refuse what is no JSON value. What containers hold is not seen."""
    for value in values:
        match value:
            case str():
                budget.tick(1 + len(value) // 512)
            case list() | tuple() | dict():
                budget.tick(1 + len(value) // 8)
            case None | bool() | int() | float():
                pass
            case Secret():
                value.refuse()
            case Missing():
                raise budget.missing(value.path)
            case _:
                raise Refused("Only JSON values can be used there.")


def weigh(budget: Budget, value: Any) -> None:
    """Count what it takes to go over all that a value holds: a list that holds a list twice weighs it twice."""
    pending = [value]
    while pending:
        each = pending.pop()
        if type(each) in _SMALL:
            continue
        admit(budget, each)
        if isinstance(each, list | tuple | dict):
            budget.tick(len(each) // 4)
            pending.extend(each)
        if isinstance(each, dict):
            pending.extend(each.values())


def number(value: Any) -> int | float:
    """Return a number, or refuse. Integers are bounded, for they would grow without end."""
    if not isinstance(value, int | float):
        raise Refused("Only a number can be used there.")
    if isinstance(value, int) and value.bit_length() > 256:
        raise Refused("A number is out of range.")
    return value


def integer(value: Any) -> int:
    """Return an integer, or refuse."""
    if not isinstance(value, int):
        raise Refused("Only an integer can be used there.")
    return value


def text(value: Any) -> str:
    """Return a string, or refuse."""
    if not isinstance(value, str):
        raise Refused("Only text can be used there.")
    return value


def items(value: Any) -> list[Any]:
    """Return what a loop over a value goes over, or refuse."""
    if not isinstance(value, list | tuple | dict | str):
        raise Refused("Only a list, a mapping or text can be gone over.")
    return list(value)
