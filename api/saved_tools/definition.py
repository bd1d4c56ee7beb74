"""A saved tool's definition: what was written, checked and completed, which is also what is read."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from api.create import check, server_tools
from api.create.check import Check
from api.definitions import sealing, writing
from api.definitions.sealing import Seals
from api.saved_tools import parts
from shared.errors import InvalidRequest
from shared.items import Json

PARTS: Final[Mapping[str, str]] = {
    "http": "http",
    "code": "code_tool",
    "function": "function",
    "json_schema": "json_schema",
    "mcp": "mcp",
}
"""The member that says what a tool of a type does."""

_KEY: Final = re.compile(r"[A-Za-z]([A-Za-z0-9]*([_-][A-Za-z0-9]+)*)?")
key = partial(check.string, least=1, most=64, pattern=_KEY)

DEFAULTS: Final[Json] = {
    "display_name": None,
    "description": "",
    "path": "Default",
    "requires_approval": False,
    "conditions": [],
    "timeout": None,
}
_COMMON: Final[Mapping[str, Check]] = {
    "display_name": partial(check.string, most=255),
    "description": partial(check.string, most=65_536),
    "path": partial(check.string, least=1, most=1024),
    "requires_approval": check.boolean,
    "conditions": server_tools.conditions,
    "timeout": partial(check.number, low=1, high=server_tools.MAX_TIMEOUT),
}
MEMBERS: Final = ("key", "type", *DEFAULTS, *PARTS.values())
"""What a body may hold."""


def type_of(members: Json, old: str | None) -> str:
    """Read the type, which stays what it was at first. Raises InvalidRequest."""
    given = members.get("type")
    if old is None and given is None:
        raise check.missing("type")
    kind = old if given is None else check.choice(given, "type", allowed=tuple(PARTS))
    if old is not None and kind != old:
        check.unsupported(kind, "type", why="A tool's type cannot be changed, as others rely on it.")
    return str(kind)


def normalise(members: Json, *, kind: str, old: Json | None, seals: Seals) -> Json:
    """Return the definition that a body asks for: its members in place of the `old` ones, and defaults where it says null.

    Raises InvalidRequest.
    """
    _refuse_other_parts(members, kind)
    checks = {**_COMMON, PARTS[kind]: _check_of(kind, seals)}
    given = writing.checked(members, checks, ())
    cleared = {name: DEFAULTS[name] for name, one in members.items() if one is None and name in DEFAULTS}
    definition = {**(old or DEFAULTS), **cleared, **given}
    if PARTS[kind] not in definition:
        raise check.missing(PARTS[kind])
    return writing.bounded(definition)


def _check_of(kind: str, seals: Seals) -> Check:
    match kind:
        case "http":
            return partial(parts.http, seals=seals)
        case "mcp":
            return partial(parts.mcp, seals=seals)
        case "code":
            return parts.code
        case "function":
            return parts.function
        case _:
            return parts.json_schema


def _refuse_other_parts(members: Json, kind: str) -> None:
    """Refuse what tools of other types have."""
    for part in PARTS.values():
        if part != PARTS[kind] and members.get(part):
            raise InvalidRequest(
                f"Unsupported parameter: '{part}'. A tool of type '{kind}' is described by '{PARTS[kind]}'.",
                param=part,
                code="unsupported_parameter",
            )


def secrets_of(definition: Json) -> dict[str, str]:
    """List the ids of a definition's secrets by their places."""
    blueprint: Any = definition.get("http", {}).get("blueprint", {})
    return {
        **sealing.within(blueprint.get("headers"), "http.headers"),
        **sealing.within(definition.get("mcp", {}).get("headers"), "mcp.headers"),
    }
