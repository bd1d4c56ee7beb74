"""The sessions with MCP servers that a worker process shares."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import httpx2
import structlog

from agents.mcp.wire import Lost
from agents.tools.base import ToolUnavailable
from shared.items import Json

if TYPE_CHECKING:
    from agents.mcp.connection import Connection
    from agents.mcp.endpoint import Endpoint

T = TypeVar("T")

log = structlog.get_logger(__name__)

IDLE: Final = 60.0
"""Seconds after which a session that nobody uses is closed."""
MOST: Final = 64
"""Sessions that are kept."""
CLOSE: Final = 4.0
"""Seconds that all sessions together may take to close."""


class Servers:
    """One session per endpoint, opened when it is first used, shared by whoever uses it, closed when nobody does."""

    def __init__(self, client: Callable[[], httpx2.AsyncClient], *, idle: float = IDLE, most: int = MOST) -> None:
        """`client` makes a session's own client, with its own connections, so that no session waits for another's."""
        self._client = client
        self._idle = idle
        self._most = most
        self._kept: OrderedDict[Endpoint, Connection] = OrderedDict()
        self._all: set[Connection] = set()
        self._closed = False

    async def tools(self, endpoint: "Endpoint", cursor: str | None) -> Json:
        """Read a page of a server's tools: `tools`, and `nextCursor` if there are more. Raises `ToolError`."""
        return await self._ask(endpoint, lambda connection: connection.tools(cursor))

    async def call(self, endpoint: "Endpoint", name: str, arguments: Json, meta: Json) -> Json:
        """Call a tool, once; return its result as the protocol writes it. Raises `ToolError`."""
        return await self._ask(endpoint, lambda connection: connection.call(name, arguments, meta))

    async def aclose(self) -> None:
        """End all sessions, and wait for it."""
        self._closed = True
        tasks = [connection.task for connection in self._all]
        for connection in self._all:
            connection.end()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, endpoint: "Endpoint", question: "Callable[[Connection], Awaitable[T]]") -> T:
        """Ask a server something, and again, in a new session, if it did not take the question."""
        try:
            return await self._once(endpoint, question)
        except Lost:
            return await self._once(endpoint, question)

    async def _once(self, endpoint: "Endpoint", question: "Callable[[Connection], Awaitable[T]]") -> T:
        opening = await asyncio.to_thread(_sdk)
        connection = self._take(endpoint, opening)
        with connection.used():
            await connection.opened()
            try:
                return await question(connection)
            except Lost:
                connection.retire()
                raise

    def _take(self, endpoint: "Endpoint", opening: "type[Connection]") -> "Connection":
        """Return the endpoint's session, the kept one or a new one."""
        connection = self._kept.get(endpoint)
        if connection is None or not connection.usable:
            if self._closed:
                raise ToolUnavailable("This worker is about to stop.")
            connection = opening(endpoint, self._client, idle=self._idle)
            self._all.add(connection)
            connection.task.add_done_callback(partial(self._ended, endpoint, connection))
            self._kept[endpoint] = connection
            self._make_room()
        self._kept.move_to_end(endpoint)
        return connection

    def _make_room(self) -> None:
        """Part with what was not used for longest; what is in use ends after that."""
        while len(self._kept) > self._most:
            oldest = next((key for key, kept in self._kept.items() if not kept.busy), next(iter(self._kept)))
            self._kept.pop(oldest).retire()

    def _ended(self, endpoint: "Endpoint", connection: "Connection", task: asyncio.Task[None]) -> None:
        self._all.discard(connection)
        if self._kept.get(endpoint) is connection:
            del self._kept[endpoint]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("mcp_session_crashed", error=type(error).__name__)


def _sdk() -> "type[Connection]":
    from agents.mcp.connection import Connection  # noqa: PLC0415  # the SDK: a second, and nothing for who needs no server

    return Connection
