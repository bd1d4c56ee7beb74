"""Responses items: one shape that is the wire, the database row and the prompt.

An item stays the JSON object that a client sent or reads. Clients send members that no schema lists, and expect them back, so
an item is a plain mapping; the API validates it once, at the door, and only provider adapters translate it.
"""

from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]
Item: TypeAlias = Json
Part: TypeAlias = Json

CALLS: Final = frozenset({"function_call", "custom_tool_call"})
"""Items that ask the client, or a worker, to run a tool."""

CALL_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})
"""Items that answer one of `CALLS`, paired by `call_id`."""


def text_of(item: Item) -> str:
    """Join the text of a message's parts, refusals included; empty for an item without text."""
    content = item.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in content)


def output_text(output: str | list[Part]) -> str:
    """Flatten a tool call's output, a string or a list of parts, to the text a model can read."""
    return output if isinstance(output, str) else "".join(part.get("text", "") for part in output)
