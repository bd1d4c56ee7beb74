"""Steps that are held against the laws of the log, and the servers and tools that they meet."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from agents import step
from agents.discovery import Discover
from agents.models.scripted import Scripted
from agents.tools import registry
from agents.turn import Outcome, Turn
from shared.items import Item, Json
from tests.agents.recording import Recording, fits_the_published_types, obeys_the_order_of_events
from tests.agents.tooling import Fixed

USER: Item = {"type": "message", "role": "user", "content": "Do it."}
FIXED: Json = {"type": "orq:fixed", "name": "fixed"}
ASKING: Json = {"type": "orq:fixed", "name": "asking", "requires_approval": True}


def server(label: str = "files", require_approval: Any = "never", **more: Any) -> Json:
    url = "https://mcp.example/"
    return {"type": "mcp", "server_label": label, "server_url": url, "require_approval": require_approval, **more}


def listing(*names: str, label: str = "files", **more: Any) -> Item:
    tools = [{"name": name, "input_schema": {"type": "object"}, "description": None, "annotations": None} for name in names]
    return {"type": "mcp_list_tools", "id": f"mcpl_{label}", "server_label": label, "tools": tools, **more}


@contextmanager
def fixed_tools() -> Iterator[None]:
    """Let workers have a tool `orq:fixed`."""
    registry.TOOLS["orq:fixed"] = Fixed()
    try:
        yield
    finally:
        del registry.TOOLS["orq:fixed"]


def turn(*tools: Json, history: Iterable[Item] = (USER,), body: Json | None = None, **more: Any) -> Turn:
    return Turn(response_id="resp_1", model="m", history=list(history), body={"tools": list(tools), **(body or {})}, **more)


def take(given: Turn, model: Scripted, *, discover: Discover | None = None, log: Recording | None = None) -> Outcome:
    """Take a step, and hold its log against the laws."""
    log = log or Recording()
    outcome = asyncio.run(step.take(given, model, log.emit, discover=discover, new_id=log.new_id))
    standing = {item["id"]: item for item in given.history if item.get("status") == "in_progress"}
    begun = {index: standing[item["id"]] for index, item in outcome.amended.items()}
    at = dict(enumerate(outcome.items, given.next_output_index))
    waiting = {index for index, item in at.items() if item.get("status") == "in_progress"}
    obeys_the_order_of_events(log.events, begun=begun, waiting=waiting)
    fits_the_published_types(log.events)
    assert log.done == [item for _, item in sorted((at | outcome.amended).items()) if item.get("status") != "in_progress"]
    return outcome
