"""The tests of Jinja's language, as in `{% if x is defined %}`."""

import operator
from collections.abc import Callable
from typing import Any, Final

from agents.templates.budget import Budget
from agents.templates.jinja_values import Missing, admit, number, text, weigh


def _plain(test: Callable[..., bool]) -> Callable[..., bool]:
    """Test a value without looking into it."""

    def apply(budget: Budget, value: Any, *args: Any) -> bool:
        admit(budget, value, *args)
        return test(value, *args)

    return apply


def _whole(test: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    """Test a value against another, all that they hold."""

    def apply(budget: Budget, value: Any, other: Any) -> bool:
        weigh(budget, value)
        weigh(budget, other)
        return bool(test(value, other))

    return apply


_EQUAL: Final = _whole(operator.eq)
_DIFFERENT: Final = _whole(operator.ne)
_LESS: Final = _whole(operator.lt)
_MORE: Final = _whole(operator.gt)
_AT_MOST: Final = _whole(operator.le)
_AT_LEAST: Final = _whole(operator.ge)

TESTS: Final[dict[str, Callable[..., bool]]] = {
    "defined": lambda _, value: not isinstance(value, Missing),
    "undefined": lambda _, value: isinstance(value, Missing),
    "none": _plain(lambda value: value is None),
    "true": _plain(lambda value: value is True),
    "false": _plain(lambda value: value is False),
    "boolean": _plain(lambda value: isinstance(value, bool)),
    "string": _plain(lambda value: isinstance(value, str)),
    "number": _plain(lambda value: isinstance(value, int | float)),
    "integer": _plain(lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": _plain(lambda value: isinstance(value, float)),
    "mapping": _plain(lambda value: isinstance(value, dict)),
    "sequence": _plain(lambda value: isinstance(value, list | tuple | str | dict)),
    "iterable": _plain(lambda value: isinstance(value, list | tuple | str | dict)),
    "odd": _plain(lambda value: number(value) % 2 == 1),
    "even": _plain(lambda value: number(value) % 2 == 0),
    "divisibleby": _plain(lambda value, by: number(value) % number(by) == 0),
    "lower": _plain(lambda value: text(value).islower()),
    "upper": _plain(lambda value: text(value).isupper()),
    "in": _whole(lambda value, container: value in container),
    **dict.fromkeys(("eq", "equalto", "=="), _EQUAL),
    **dict.fromkeys(("ne", "!="), _DIFFERENT),
    **dict.fromkeys(("lt", "lessthan", "<"), _LESS),
    **dict.fromkeys(("gt", "greaterthan", ">"), _MORE),
    **dict.fromkeys(("le", "<="), _AT_MOST),
    **dict.fromkeys(("ge", ">="), _AT_LEAST),
}
