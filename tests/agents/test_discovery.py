"""MCP servers are asked what they offer before the first model call, and not again."""

import asyncio
from typing import Any

import pytest

from agents import step
from agents.models.scripted import Scripted, says
from agents.turn import Finish
from shared.items import Item, Json
from tests.agents.recording import Recording, obeys_the_order_of_events
from tests.agents.stepping import USER, listing, server, take, turn


class Servers:
    """Servers that offer one function each, named after them, unless they are broken."""

    def __init__(self, *broken: str) -> None:
        self.asked: list[str] = []
        self._broken = broken

    async def __call__(self, spec: Json, /) -> Item:
        label = spec["server_label"]
        self.asked.append(label)
        await asyncio.sleep(0)
        error = {"error": "It is down."} if label in self._broken else {}
        return listing(*([] if error else [f"{label}_tool"]), label=label, **error)


def test_servers_are_asked_at_once_and_their_functions_are_offered() -> None:
    model, servers, log = Scripted(says("Done.")), Servers(), Recording()
    outcome = take(turn(server("a"), server("b")), model, discover=servers, log=log)
    assert [tool["name"] for tool in model.requests[0].tools] == ["a_tool", "b_tool"]
    assert [item["type"] for item in outcome.items] == ["mcp_list_tools", "mcp_list_tools", "message"]
    assert log.types[:4] == ["output_item.added", "mcp_list_tools.in_progress"] * 2
    assert log.of("output_item.added")[0]["item"] == {
        "id": "mcpl_1",
        "type": "mcp_list_tools",
        "server_label": "a",
        "tools": [],
    }
    assert len(log.of("mcp_list_tools.completed")) == 2
    assert [item["type"] for item in model.requests[0].items] == ["message"]


def test_a_server_that_fails_offers_nothing_and_stops_nobody() -> None:
    model, log = Scripted(says("Done.")), Recording()
    outcome = take(turn(server("a"), server("b")), model, discover=Servers("a"), log=log)
    assert outcome.verdict == Finish()
    assert outcome.items[0]["error"] == "It is down."
    assert len(log.of("mcp_list_tools.failed")) == 1
    assert [tool["name"] for tool in model.requests[0].tools] == ["b_tool"]


@pytest.mark.parametrize(
    ("history", "more", "asked"),
    [
        ([USER, listing("x")], {}, []),
        ([listing(error="It was down."), USER], {}, ["files"]),
        ([USER, listing(error="It is down.")], {"iteration": 1}, []),
        ([USER, listing("x", label="other")], {}, ["files"]),
        ([USER], {"iteration": 3, "max_iterations": 3}, []),
    ],
)
def test_a_server_is_asked_once_for_each_response_at_most(history: list[Item], more: Any, asked: list[str]) -> None:
    servers = Servers()
    take(turn(server(), history=history, **more), Scripted(says("Done.")), discover=servers)
    assert servers.asked == asked


def test_a_listing_that_is_cut_off_is_left_closed() -> None:
    async def cancel(log: Recording) -> None:
        async def never(_: Json, /) -> Item:
            await asyncio.Event().wait()
            return {}

        task = asyncio.create_task(step.take(turn(server()), Scripted(), log.emit, discover=never, new_id=log.new_id))
        while not log.events:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    log = Recording()
    asyncio.run(cancel(log))
    obeys_the_order_of_events(log.events)
    assert log.done[0]["error"] == "The listing was cut off."
