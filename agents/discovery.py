"""MCP servers are asked what they offer, once: the answers stand in the history, which later steps and responses read."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from agents import toolset
from agents.output import Output
from shared.frames import Emit
from shared.items import Item, Json

_CUT_OFF = "The listing was cut off."


class Discover(Protocol):
    """Ask one server."""

    async def __call__(self, spec: Json, /) -> Item:
        """Return an `mcp_list_tools` item; a server's failure is its `error`, never an exception."""


def unlisted(tools: Iterable[Json], history: Iterable[Item]) -> list[Json]:
    """Find the specs of the servers that have not told what they offer, or failed to."""
    specs = toolset.servers(tools)
    if not specs:
        return []
    listed = toolset.listings(history)
    return [spec for label, spec in specs.items() if label not in listed or listed[label].get("error")]


async def run(specs: list[Json], discover: Discover, output: Output, emit: Emit) -> None:
    """Ask servers all at once, and put their listings out in the order of `specs`."""
    begun: list[tuple[int, Item, Json]] = []
    for spec in specs:
        item: Item = {"type": "mcp_list_tools", "server_label": spec["server_label"], "tools": []}
        index, item = output.announce(item)
        emit("response.mcp_list_tools.in_progress", output_index=index, item_id=item["id"])
        begun.append((index, item, spec))
    async with asyncio.TaskGroup() as group:
        for index, item, spec in begun:
            group.create_task(_ask(index, item, spec, discover, output, emit))


async def _ask(index: int, item: Item, spec: Json, discover: Discover, output: Output, emit: Emit) -> None:
    """Put out what a server answers; an answer that does not come leaves no item open."""
    found: Item = {"error": _CUT_OFF}
    try:
        found = await discover(spec)
    finally:
        listed = {**item, **found, "id": item["id"]}
        outcome = "failed" if listed.get("error") else "completed"
        emit(f"response.mcp_list_tools.{outcome}", output_index=index, item_id=item["id"])
        output.finish(index, listed)
