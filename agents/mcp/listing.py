"""What an MCP server offers: asked once, kept as an `mcp_list_tools` item, and shown to models as functions.

Whatever a server says of its tools goes into a model's prompt, so all of it is bounded.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import orjson
import structlog

from agents.mcp.rendering import endpoint
from agents.mcp.selection import allowed
from agents.plan import Engine
from agents.scrub import NOTHING, Scrubber
from agents.tools.base import ToolError
from agents.tools.box import Toolbox
from shared import ids
from shared.items import Item, Json

TIMEOUT: Final = 30.0
"""Seconds for all pages."""
MAX_PAGES: Final = 32
MAX_READ: Final = 2_000
"""Tools that are read, to choose from."""
MAX_TOOLS: Final = 128
MAX_DESCRIPTION: Final = 1_024
"""Characters."""
MAX_SCHEMA: Final = 16 * 1_024
"""Bytes."""
MAX_TOTAL: Final = 256 * 1_024
"""Bytes of all tools of a server."""
MAX_ERROR: Final = 8_000
"""Characters."""
MAX_PREFIX: Final = 256
"""Characters that stand before a tool's description, to say whose it is."""

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What every model takes. A name is not translated: clients write it in `allowed_tools`, and read it in calls."""

_HINTS: Final = ("title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")

log = structlog.get_logger(__name__)


async def discover(
    spec: Json,
    *,
    engine: Engine,
    variables: Mapping[str, Any],
    secrets: Mapping[str, str],
    box: Toolbox,
    scrubber: Scrubber = NOTHING,
) -> Item:
    """List a server's tools as an `mcp_list_tools` item; one that could not be listed has an `error`, a sentence.

    `variables` have secret ones in clear; `secrets` are values by id. A server may repeat what it was sent: that is taken out.
    """
    item: Item = {"type": "mcp_list_tools", "id": ids.new("mcpl"), "server_label": spec["server_label"], "tools": []}
    try:
        async with asyncio.timeout(TIMEOUT):
            found = await _read(spec, engine, variables, secrets, box)
    except ToolError as error:
        return item | {"error": scrubber.text(error.message)[:MAX_ERROR]}
    except TimeoutError:
        return item | {"error": f"The MCP server did not list its tools within {TIMEOUT:g} seconds."}
    return item | {"tools": _chosen(spec, scrubber.value(found) if scrubber else found)}


def functions(item: Item, spec: Json) -> list[Json]:
    """Make the function tools that a model is offered, of those that the spec allows."""
    whose = _whose(spec)
    return [
        {
            "type": "function",
            "name": tool["name"],
            "description": f"{whose} {tool.get('description') or ''}".rstrip(),
            "parameters": {"properties": {}, **tool["input_schema"], "type": "object"},
            "strict": False,
        }
        for tool in item["tools"]
        if allowed(spec, tool)
    ]


def _whose(spec: Json) -> str:
    about = " ".join((spec.get("server_description") or "").split())
    return f"[{spec['server_label']}{': ' * bool(about)}{about}"[:MAX_PREFIX] + "]"


async def _read(
    spec: Json, engine: Engine, variables: Mapping[str, Any], secrets: Mapping[str, str], box: Toolbox
) -> list[Json]:
    """Read the pages of a server's list, as the protocol writes its tools."""
    there = endpoint(spec, engine=engine, variables=variables, secrets=secrets)
    found: list[Json] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await box.servers.tools(there, cursor)
        found += page["tools"]
        cursor = page.get("nextCursor")
        if cursor is None or len(found) >= MAX_READ:
            break
    return found[:MAX_READ]


def _chosen(spec: Json, found: list[Json]) -> list[Json]:
    """Take what fits: the tools that the spec allows before the others, which a later response may ask for."""
    named = {tool["name"]: tool for tool in reversed(found) if _NAME.fullmatch(tool["name"])}
    tools = [_tool(tool) for tool in found if named.get(tool["name"]) is tool]
    tools.sort(key=lambda tool: not allowed(spec, tool))
    chosen = list(islice(_fitting(tools), MAX_TOOLS))
    if len(chosen) < len(found):
        log.warning("mcp_tools_left_out", server_label=spec["server_label"], found=len(found), taken=len(chosen))
    return chosen


def _fitting(tools: list[Json]) -> Iterator[Json]:
    left = MAX_TOTAL
    for tool in tools:
        left -= len(orjson.dumps(tool))
        if left < 0:
            return
        yield tool


def _tool(tool: Json) -> Json:
    """Write a tool as the item does, with bounds."""
    schema, description = tool["inputSchema"], tool.get("description") or ""
    if len(description) > MAX_DESCRIPTION:
        description = f"{description[: MAX_DESCRIPTION - 1]}…"
    if len(orjson.dumps(schema)) > MAX_SCHEMA:
        note = "(The schema of the parameters is too large to be shown.)"
        schema, description = {"type": "object"}, f"{description[: MAX_DESCRIPTION - len(note) - 1]} {note}".lstrip()
    hints = {name: _hint(value) for name, value in (tool.get("annotations") or {}).items() if name in _HINTS}
    return {
        "name": tool["name"],
        "description": description or None,
        "input_schema": schema,
        "annotations": hints or None,
    }


def _hint(value: Any) -> Any:
    return value[:MAX_PREFIX] if isinstance(value, str) else value
