"""The `jinja` engine."""

from typing import Any

from agents.templates.budget import Budget
from agents.templates.values import Refused


def render(template: str, variables: dict[str, Any], budget: Budget) -> str:
    """Render a template."""
    raise Refused("The engine is not available.")


def names(template: str, budget: Budget) -> set[str]:
    """Return the variables that a template uses."""
    raise Refused("The engine is not available.")
