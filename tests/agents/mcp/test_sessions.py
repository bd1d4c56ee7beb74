"""Sessions with real servers, over each transport."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar

import pytest

from agents import net
from agents.mcp.endpoint import Endpoint
from agents.mcp.sessions import Servers
from agents.tools.base import ToolError, ToolUnavailable
from tests.agents.mcp.server import KINDS, Kind, Running, app, serving

T = TypeVar("T")

# The server runs in this process, and leaves streams of its own open when uvicorn cuts it off.
cuts_off = pytest.mark.filterwarnings("ignore:.*MemoryObject:pytest.PytestUnraisableExceptionWarning")

LOOPBACK = net.Networks.parse(["127.0.0.1/32"])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture
def server(kind: Kind) -> Iterator[Running]:
    with serving(partial(app, kind)) as running:
        yield running


def run(
    what: Callable[[Servers], Awaitable[T]],
    *,
    idle: float = 60.0,
    most: int = 64,
    networks: net.Networks = LOOPBACK,
) -> T:
    """Use sessions, close them, and leave nothing behind."""

    async def main() -> T:
        servers = Servers(partial(net.client, networks), idle=idle, most=most)
        try:
            async with asyncio.timeout(30):
                found = await what(servers)
        finally:
            await servers.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return found

    return asyncio.run(main())


async def add(servers: Servers, url: str, a: int, b: int) -> str:
    result = await servers.call(Endpoint(url), "add", {"a": a, "b": b}, {})
    text: str = result["content"][0]["text"]
    return text


def test_a_tool_is_called(server: Running) -> None:
    assert run(lambda servers: add(servers, server.url, 2, 3)) == "5"


def test_tools_are_listed(server: Running) -> None:
    page = run(lambda servers: servers.tools(Endpoint(server.url), None))
    assert page["tools"][0]["name"] == "add"
    assert page["tools"][0]["annotations"] == {"readOnlyHint": True}


def test_calls_at_the_same_time_share_a_session(server: Running) -> None:
    async def many(servers: Servers) -> list[str]:
        return await asyncio.gather(*(add(servers, server.url, n, n) for n in range(20)))

    assert run(many) == [str(2 * n) for n in range(20)]
    assert server.book.sessions == 1


def test_nothing_but_the_call_is_asked_of_a_server(server: Running) -> None:
    run(lambda servers: add(servers, server.url, 2, 3))
    assert server.book.methods["tools/call"] == 1
    assert server.book.methods["tools/list"] == 0


def test_other_headers_are_another_session(server: Running) -> None:
    async def both(servers: Servers) -> None:
        for token in ("a", "b"):
            await servers.call(Endpoint(server.url, "auto", (("x-token", token),)), "add", {"a": 1, "b": 1}, {})

    run(both)
    assert server.book.sessions == 2
    assert {seen["x-token"] for seen in server.book.headers} == {"a", "b"}


def test_a_session_that_nobody_uses_is_closed(server: Running) -> None:
    async def twice(servers: Servers) -> None:
        await add(servers, server.url, 1, 1)
        await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name() == "mcp session"])
        await add(servers, server.url, 1, 1)

    run(twice, idle=0.05)
    assert server.book.sessions == 2


def test_the_session_that_was_not_used_for_longest_makes_room(server: Running) -> None:
    async def three(servers: Servers) -> None:
        for token in ("a", "b", "a", "c", "a", "b"):
            await servers.call(Endpoint(server.url, "auto", (("x-token", token),)), "add", {"a": 1, "b": 1}, {})

    run(three, most=2)
    assert server.book.sessions == 4


@cuts_off
def test_a_server_that_was_restarted_is_asked_in_a_new_session(server: Running) -> None:
    async def around(servers: Servers) -> str:
        await add(servers, server.url, 1, 1)
        await asyncio.to_thread(server.restart)
        return await add(servers, server.url, 2, 2)

    assert run(around) == "4"


@cuts_off
def test_a_call_that_a_server_took_is_not_repeated_when_it_dies(server: Running) -> None:
    async def cut(servers: Servers) -> None:
        call = asyncio.create_task(servers.call(Endpoint(server.url), "slow", {"seconds": 20}, {}))
        await asyncio.to_thread(server.book.running.wait, 10)
        await asyncio.to_thread(server.restart)
        await call

    with pytest.raises(ToolError, match=r"ended before it answered|refused|answered"):
        run(cut)
    assert server.book.methods["tools/call"] == 1


def test_a_cancelled_call_is_cancelled_at_the_server_and_leaves_the_session_usable(server: Running) -> None:
    async def cancel(servers: Servers) -> str:
        call = asyncio.create_task(servers.call(Endpoint(server.url), "slow", {"seconds": 20}, {}))
        other = asyncio.create_task(servers.call(Endpoint(server.url), "slow", {"seconds": 0.5}, {}))
        await asyncio.to_thread(server.book.running.wait, 10)
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.wait([call])
        assert (await other)["content"][0]["text"] == "done"
        await asyncio.to_thread(server.book.over.wait, 5)
        return await add(servers, server.url, 1, 1)

    assert run(cancel) == "2"
    assert server.book.sessions == 1
    assert sorted(server.book.ended) == ["CancelledError", "done"]


def test_a_call_may_be_stopped_by_its_time(server: Running) -> None:
    async def stopped(servers: Servers) -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await servers.call(Endpoint(server.url), "slow", {"seconds": 20}, {})
        return await add(servers, server.url, 1, 1)

    assert run(stopped) == "2"
    assert server.book.sessions == 1


def test_sessions_work_on_uvloop(server: Running) -> None:
    import uvloop  # not on every platform

    async def main() -> str:
        servers = Servers(partial(net.client, LOOPBACK))
        try:
            return await add(servers, server.url, 2, 3)
        finally:
            await servers.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == "5"


def test_a_server_of_the_old_transport_alone_is_not_found_by_the_new_one() -> None:
    with serving(partial(app, "sse")) as server, pytest.raises(ToolError, match=r"^The MCP server answered with HTTP 405"):
        run(lambda servers: servers.tools(Endpoint(server.url, "http"), None))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with serving(partial(app, "http")) as server:
        server.stop()
        with pytest.raises(ToolUnavailable, match=r"^No connection could be made to the MCP server\.$"):
            run(lambda servers: servers.tools(Endpoint(server.url), None))


@pytest.mark.parametrize("transport", ["auto", "http", "sse"])
def test_a_server_in_a_network_that_is_closed_is_not_asked(transport: str) -> None:
    with serving(partial(app, "http")) as server:
        with pytest.raises(ToolError, match=r"^The address of '127\.0\.0\.1' is in a network that may not be reached\.$"):
            run(lambda servers: servers.tools(Endpoint(server.url, transport), None), networks=net.Networks())  # type: ignore[arg-type]
        assert not server.book.methods


def test_no_session_is_opened_after_the_end(server: Running) -> None:
    async def late(servers: Servers) -> None:
        await servers.aclose()
        await add(servers, server.url, 1, 1)

    with pytest.raises(ToolUnavailable, match="about to stop"):
        run(late)
