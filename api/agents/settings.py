"""An agent's settings: what bounds a run, when it asks for approval, and its tools."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from agents.models.providers import Providers
from api.agents import tools
from api.create import check
from api.create.check import Check
from api.definitions.sealing import Seals
from shared.items import Json

DEFAULTS: Final[Json] = {
    "max_iterations": 100,
    "max_execution_time": None,
    "max_cost": 0.0,
    "max_depth": None,
    "tool_timeout": None,
    "tool_approval_required": "respect_tool",
    "tools": [],
}

_REFUSED: Final[Mapping[str, Check]] = {
    "evaluators": partial(check.unsupported, why="Evaluators are not supported, and must not be skipped silently."),
    "guardrails": partial(check.unsupported, why="Guardrails are not supported, and must not be skipped silently."),
    "chat_exposed": partial(check.unsupported, why="There is no chat to offer the agent in."),
}
EMPTY: Final[Json] = {"evaluators": [], "guardrails": []}
"""What is shown of them."""

_BOUNDS: Final[Mapping[str, Check]] = {
    "max_iterations": partial(check.integer, low=1, high=1000),
    "max_execution_time": partial(check.number, low=1, high=604_800),
    "max_cost": partial(check.number, low=0, high=1_000_000),
    "max_depth": partial(check.integer, low=1, high=16),
    "tool_timeout": partial(check.number, low=1, high=3600),
    "tool_approval_required": partial(check.choice, allowed=("all", "respect_tool", "none")),
}


def parse(value: Any, path: str, *, seals: Seals, providers: Providers) -> Json:
    """Return all settings; those that were left out have their defaults."""
    members: dict[str, Check] = {**_BOUNDS, **_REFUSED, "tools": partial(tools.parse, seals=seals, providers=providers)}
    given = check.record(value, path, members=members)
    return {name: given.get(name, default) for name, default in DEFAULTS.items()}
