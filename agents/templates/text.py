"""The `text` engine: `{{name}}` and `{{name.member}}`. Other braces are text, so JSON in a prompt needs no escape."""

import re
from typing import Any, Final

from agents.templates.budget import Budget
from agents.templates.values import MISSING, PATH, Secret, lookup

_SPACES: Final = "[ \t]{0,8}"
"""Bounded, so that a search never looks at the same spaces from many beginnings."""
_PLACEHOLDER: Final = re.compile(rf"\{{\{{{_SPACES}({PATH}){_SPACES}\}}\}}")


def render(template: str, variables: dict[str, Any], budget: Budget) -> str:
    """Put the values in, in one pass: what comes from a value is not looked at again. Raises `MissingVariable`."""

    def substitute(match: re.Match[str]) -> str:
        value = _value(match[1], variables, budget)
        return match[0] if isinstance(value, Secret) else budget.write(value)

    return _PLACEHOLDER.sub(substitute, template)


def typed(template: str, variables: dict[str, Any], budget: Budget) -> Any:
    """Render, but give the value itself, whatever its type, if the template is one placeholder and nothing else."""
    match = _PLACEHOLDER.fullmatch(template)
    if match is None:
        return render(template, variables, budget)
    value = _value(match[1], variables, budget)
    if isinstance(value, Secret):
        return template
    budget.write(value)  # what it will take when it is written
    return value


def names(template: str, budget: Budget) -> set[str]:
    """Return the variables that a template uses, dotted."""
    return set(_PLACEHOLDER.findall(template))


def _value(path: str, variables: dict[str, Any], budget: Budget) -> Any:
    value = lookup(variables, path.split("."))
    if value is MISSING:
        raise budget.missing(path)
    return value
