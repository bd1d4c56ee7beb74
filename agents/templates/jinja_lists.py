"""The filters of Jinja's language that go over lists."""

from collections.abc import Callable
from typing import Any, Final

from agents.templates.budget import Budget
from agents.templates.jinja_tests import TESTS
from agents.templates.jinja_values import Missing, admit, integer, items, number, text
from agents.templates.values import MISSING, Refused, Secret, lookup


def take(budget: Budget, value: Any, attribute: str | int | None) -> list[Any]:
    """Return the items of a value, or the member of each that `attribute`, a dotted name, leads to."""
    found = items(value)
    budget.tick(1 + len(found) // 8)
    return found if attribute is None else [_member(budget, each, str(attribute)) for each in found]


def _member(budget: Budget, value: Any, path: str) -> Any:
    budget.tick(1 + len(path) // 8)
    found = lookup(value, path.split("."))
    if isinstance(found, Secret) and found is not value:
        return found
    admit(budget, value)
    return Missing(name=path) if found is MISSING else found


def scalars(budget: Budget, values: list[Any]) -> list[Any]:
    """Return values that can be put in order in bounded time, or refuse."""
    admit(budget, *values)
    if any(isinstance(value, list | tuple | dict) for value in values):
        raise Refused("Only numbers and text can be compared there.")
    return values


def _first(budget: Budget, value: Any) -> Any:
    return next(iter(items(value)), Missing(name="first"))


def _last(budget: Budget, value: Any) -> Any:
    return next(iter(reversed(items(value))), Missing(name="last"))


def _reverse(budget: Budget, value: Any) -> Any:
    return value[::-1] if isinstance(value, str) else items(value)[::-1]


def _sort(
    budget: Budget,
    value: Any,
    reverse: bool = False,  # Jinja's
    case_sensitive: bool = False,  # Jinja's
    attribute: str | None = None,
) -> list[Any]:
    found = items(value)
    keys = _folded(scalars(budget, take(budget, found, attribute)), case_sensitive=case_sensitive)
    budget.tick(len(found) // 2)
    order = sorted(range(len(found)), key=keys.__getitem__, reverse=bool(reverse))
    return [found[index] for index in order]


def _folded(keys: list[Any], *, case_sensitive: bool) -> list[Any]:
    return keys if case_sensitive else [key.lower() if isinstance(key, str) else key for key in keys]


def _unique(budget: Budget, value: Any, case_sensitive: bool = False, attribute: str | None = None) -> list[Any]:  # Jinja's
    found = items(value)
    keys = _folded(scalars(budget, take(budget, found, attribute)), case_sensitive=case_sensitive)
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    return [found[index] for index in sorted(first.values())]


def _min(budget: Budget, value: Any, attribute: str | None = None) -> Any:
    return min(scalars(budget, take(budget, value, attribute)))


def _max(budget: Budget, value: Any, attribute: str | None = None) -> Any:
    return max(scalars(budget, take(budget, value, attribute)))


def _sum(budget: Budget, value: Any, attribute: str | None = None, start: float = 0) -> int | float:
    return number(sum(map(number, scalars(budget, take(budget, value, attribute))), number(start)))


def _batch(budget: Budget, value: Any, size: int, fill: Any = None) -> list[list[Any]]:
    found, size = items(value), max(integer(size), 1)
    rows = [found[at : at + size] for at in range(0, len(found), size)]
    if rows and fill is not None:
        rows[-1] += _filling(budget, fill, size - len(rows[-1]))
    return rows


def _slice(budget: Budget, value: Any, count: int, fill: Any = None) -> list[list[Any]]:
    found = items(value)
    budget.tick(max(integer(count), 1))
    each, more = divmod(len(found), max(count, 1))
    ends = [(index + 1) * each + min(index + 1, more) for index in range(count)]
    rows = [found[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return [row + ([fill] if fill is not None and more and len(row) == each else []) for row in rows]


def _filling(budget: Budget, fill: Any, count: int) -> list[Any]:
    budget.tick(1 + count // 8)
    return [fill] * count


def _chosen(*, wanted: bool, of: bool) -> Callable[..., list[Any]]:
    """Keep the items that pass a test, or those that fail it; `of`: the test is of a member."""

    def apply(budget: Budget, value: Any, *args: Any) -> list[Any]:
        found = items(value)
        tested = take(budget, found, text(args[0])) if of else take(budget, found, None)
        name, *operands = args[1:] if of else args
        return [each for each, key in zip(found, tested, strict=True) if _passes(budget, key, name, operands) is wanted]

    def with_truth(budget: Budget, value: Any, *args: Any) -> list[Any]:
        return apply(budget, value, *args) if args[of:] else apply(budget, value, *args, None)

    return with_truth


def _passes(budget: Budget, value: Any, name: str | None, operands: list[Any]) -> bool:
    budget.tick()
    if name is None:
        return bool(value)
    if name not in TESTS:
        raise Refused("There is no such test to choose by.")
    return TESTS[name](budget, value, *operands)


LISTS: Final[dict[str, Callable[..., Any]]] = {
    "batch": _batch,
    "first": _first,
    "last": _last,
    "list": lambda _, value: items(value),
    "max": _max,
    "min": _min,
    "reject": _chosen(wanted=False, of=False),
    "rejectattr": _chosen(wanted=False, of=True),
    "reverse": _reverse,
    "select": _chosen(wanted=True, of=False),
    "selectattr": _chosen(wanted=True, of=True),
    "slice": _slice,
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
}
