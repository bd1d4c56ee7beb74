"""Jinja's operators, each counted and bounded. A compiled template does nothing to a value but through these."""

import operator
from collections.abc import Callable, Iterator
from typing import Any, Final

from jinja2.runtime import LoopContext, Macro

from agents.templates.budget import Budget
from agents.templates.jinja_filters import METHODS
from agents.templates.jinja_values import Done, Missing, admit, integer, items, number, weigh
from agents.templates.values import Refused, Secret, plain

MAX_RANGE: Final = 10_000
MAX_CALLS: Final = 16
"""How deep macros may call each other."""

_LOOP: Final = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"})
_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}


def show(budget: Budget, value: Any) -> str:
    """Write a value into the text."""
    budget.tick(2)
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, Done):
        return literal(budget, value)
    weigh(budget, value)
    return budget.write(value)


def literal(budget: Budget, value: str) -> str:
    """Write the template's own text, or text that is done."""
    budget.tick()
    budget.make(len(value))
    return value


def done(_: Budget, value: str) -> str:
    """Mark what a `set` block has made."""
    return Done(value)


class Each:
    """What a loop goes over, every turn counted. It has a length, so that `loop.length` needs not take the turns first."""

    def __init__(self, budget: Budget, value: Any) -> None:
        admit(budget, value)
        self._budget = budget
        self._items = items(value)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self._budget.tick()
            yield item


def member(budget: Budget, value: Any, key: Any, path: str) -> Any:
    """Take an item: of a mapping by key, of a list or text by index. Attributes of Python's objects do not exist."""
    budget.tick()
    if isinstance(value, LoopContext) and key in _LOOP:
        return getattr(value, key)
    if isinstance(value, Secret | Missing):
        admit(budget, value)
    admit(budget, key)
    if isinstance(value, dict) and key in value:
        return value[key]
    if isinstance(value, list | tuple | str) and type(key) is int and -len(value) <= key < len(value):
        return value[key]
    if isinstance(key, str) and key.startswith("_"):
        raise Refused(f"{path!r} is no member of a variable's value, and nothing else has members.")
    return Missing(name=path)


def cut(budget: Budget, value: Any, start: int | None, stop: int | None, step: int | None) -> Any:
    """Take a slice of a list or of text."""
    admit(budget, value)
    if not isinstance(value, list | tuple | str):
        raise Refused("Only a list or text can be cut.")
    taken = value[slice(start, stop, step)]
    return taken if isinstance(taken, str) else list(taken)


def call(budget: Budget, macro: Any, *args: Any, **kwargs: Any) -> str:
    """Call a macro: nothing else is callable."""
    if isinstance(macro, Missing):
        raise budget.missing(macro.path)
    if not isinstance(macro, Macro):
        raise Refused("Only macros, and a few methods of values, can be called.")
    budget.tick(4)
    with budget.deeper(MAX_CALLS):
        return Done(macro(*args, **kwargs))


def method(budget: Budget, value: Any, name: str, path: str, *args: Any, **kwargs: Any) -> Any:
    """Call one of the methods that values have in templates."""
    if isinstance(value, LoopContext) and name == "cycle" and args:
        return value.cycle(*args)
    admit(budget, value, *args, *kwargs.values())
    known = METHODS.get(type(value) if type(value) is not Done else str, {})
    if name not in known:
        raise Refused(f"There is no method {path!r}.")
    return known[name](budget, value, *args, **kwargs)


def numbers(budget: Budget, *args: Any) -> list[int]:
    """Make a list of integers, as `range` does."""
    made = range(*map(integer, map(number, args)))
    if made[MAX_RANGE:]:
        raise Refused(f"A range holds at most {MAX_RANGE} numbers.")
    budget.tick(1 + len(made) // 8)
    return list(made)


def compare(budget: Budget, left: Any, *pairs: Any) -> bool:
    """Compare a chain of values: `left`, then an operator and a value, and so on."""
    for name, right in zip(pairs[::2], pairs[1::2], strict=True):
        budget.tick(2)
        weigh(budget, left)
        weigh(budget, right)
        if not _COMPARISONS[name](left, right):
            return False
        left = right
    return True


def add(budget: Budget, left: Any, right: Any) -> Any:
    """Add numbers, or join lists, or text."""
    admit(budget, left, right)
    if isinstance(left, str) and isinstance(right, str):
        budget.make(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    return number(number(left) + number(right))


def multiply(budget: Budget, left: Any, right: Any) -> Any:
    """Multiply numbers, or repeat text."""
    admit(budget, left, right)
    if isinstance(left, str) and isinstance(right, int):
        budget.make(len(left) * max(right, 0))
        return left * right
    return number(number(left) * number(right))


def power(budget: Budget, left: Any, right: Any) -> Any:
    """Raise a number to a power."""
    admit(budget, left, right)
    base, exponent = number(left), number(right)
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > 512:
        raise Refused("A number is out of range.")
    return number(base**exponent)


def concat(budget: Budget, *values: Any) -> str:
    """Join values as text."""
    weigh(budget, list(values))
    texts = [plain(value) for value in values]
    budget.make(sum(map(len, texts)))
    return "".join(texts)


def _arithmetic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do with numbers, and with numbers only, what an operator does: `%` formats text otherwise."""

    def apply(budget: Budget, *operands: Any) -> Any:
        admit(budget, *operands)
        return number(function(*map(number, operands)))

    return apply


OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    "show": show,
    "literal": literal,
    "done": done,
    "each": Each,
    "member": member,
    "cut": cut,
    "call": call,
    "method": method,
    "range": numbers,
    "compare": compare,
    "concat": concat,
    "add": add,
    "mul": multiply,
    "pow": power,
    "sub": _arithmetic(operator.sub),
    "div": _arithmetic(operator.truediv),
    "floordiv": _arithmetic(operator.floordiv),
    "mod": _arithmetic(operator.mod),
    "neg": _arithmetic(operator.neg),
    "pos": _arithmetic(operator.pos),
}
