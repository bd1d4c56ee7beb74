"""Custom tools, which take plain text, on wires that know only functions: the text is their one argument."""

from typing import Final

import orjson

from shared.items import Json

PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


def describe(tool: Json) -> str:
    """Describe a custom tool to a model that is not held to the tool's format by its provider."""
    described = tool.get("description") or ""
    format_ = tool.get("format") or {}
    if format_.get("type") != "grammar":
        return described
    return f"{described}\n\nThe input must follow this grammar ({format_.get('syntax')}):\n{format_.get('definition')}".strip()


def wrap(text: str) -> str:
    """Make a function's arguments of a custom tool's input."""
    return orjson.dumps({"input": text}).decode()


def unwrap(arguments: str) -> str:
    """Read a custom tool's input out of a function's arguments; a model that ignored the schema is taken by its word."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    text = given.get("input") if isinstance(given, dict) else None
    return text if isinstance(text, str) else arguments
