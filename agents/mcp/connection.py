"""One session with an MCP server, through the SDK. Imported when the first server is used: the SDK takes a second to import.

The SDK opens and closes a session by scopes that belong to one task, so each session has a task of its own, and whoever asks
the server something does so from theirs.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from contextvars import Context
from typing import Any, Final, Literal, TypeAlias

import httpx2
import orjson
from mcp import Client, ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
)
from pydantic import BaseModel, TypeAdapter

from agents.mcp.endpoint import Endpoint
from agents.mcp.faults import told
from agents.mcp.wire import ATTEMPT, MAX_RESPONSE, Attempt, Lost, Wire
from agents.tools.base import ToolError, ToolUnavailable
from shared.items import Json

CONNECT: Final = 15.0
"""Seconds to connect and to agree on a version."""
CLOSE: Final = 3.0
"""Seconds to say goodbye."""
_Transport: TypeAlias = Literal["http", "sse"]

_HTTP: Final = httpx2.Timeout(10.0, read=900.0)
"""A call may take as long as the tool's own timeout, which ends it from outside."""

_AUTH: Final = frozenset({401, 403, 407, 429})
"""Refusals that the old transport would meet as well."""

_ANSWER: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)

# They log what servers send, addresses and session ids; what matters of it is in the errors.
for _name in ("mcp", "client"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class Connection:
    """Opens at once, and closes when it was idle for `idle` seconds, was told to end, or broke."""

    def __init__(self, endpoint: Endpoint, client: Callable[[], httpx2.AsyncClient], *, idle: float) -> None:
        """`client` makes the client that all requests go through."""
        self._endpoint = endpoint
        self._client = client
        self._idle = idle
        self._users = 0
        self._timer: asyncio.TimerHandle | None = None
        self._session: ClientSession | None = None
        self._fault: ToolError | None = None
        self._ready = asyncio.Event()
        self._end = asyncio.Event()
        self.retired = False
        """Takes nobody new, and ends when nobody uses it."""
        # In no response's context: it outlives the one that happened to come first.
        self.task = asyncio.create_task(self._hold(), name="mcp session", context=Context())

    @property
    def usable(self) -> bool:
        """Whether it is open, or may yet be."""
        return not (self.retired or self._end.is_set() or self.task.done())

    @property
    def busy(self) -> bool:
        """Whether somebody uses it."""
        return self._users > 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep it open meanwhile."""
        self._users += 1
        self._rest()
        try:
            yield
        finally:
            self._users -= 1
            self._rest()

    def retire(self) -> None:
        """End it as soon as nobody uses it."""
        self.retired = True
        self._rest()

    def end(self) -> None:
        """End it now: what is under way fails."""
        self._end.set()

    async def opened(self) -> None:
        """Wait until it is open; raise `ToolError` if it could not be opened."""
        await self._ready.wait()
        match self._fault:
            case ToolUnavailable(message=message):
                raise ToolUnavailable(message)
            case ToolError(message=message):
                raise ToolError(message)

    async def tools(self, cursor: str | None) -> Json:
        """List a page of tools, as the protocol writes it: `tools`, and `nextCursor` if there are more."""
        page = ListToolsRequest(params=None if cursor is None else PaginatedRequestParams(cursor=cursor))
        return await self._ask(page, TypeAdapter(ListToolsResult))

    async def call(self, name: str, arguments: Json, meta: Json) -> Json:
        """Call a tool; the result as the protocol writes it. Raises `ToolError`, or `Lost` if the server did not take it."""
        params = CallToolRequestParams.model_validate({"name": name, "arguments": arguments, "_meta": meta})
        return await self._ask(CallToolRequest(params=params), _ANSWER)

    async def _ask(self, request: Any, answer: TypeAdapter[Any]) -> Json:
        """Send a request, and plainly: the SDK's own verbs list the tools after a call to check its result."""
        if self._session is None:
            raise Lost("The session with the MCP server has ended.")
        attempt = Attempt()
        token = ATTEMPT.set(attempt)
        try:
            with told(attempt):
                result: BaseModel = await self._session.send_request(request, answer)
                found: Json = orjson.loads(result.model_dump_json(by_alias=True, exclude_none=True))
        finally:
            ATTEMPT.reset(token)
        return found

    def _rest(self) -> None:
        """Begin or stop counting the time in which nobody uses it."""
        if self._timer is not None:
            self._timer.cancel()
        idle = 0.0 if self.retired else self._idle
        self._timer = None if self._users else asyncio.get_running_loop().call_later(idle, self.end)

    async def _hold(self) -> None:
        try:
            async with asyncio.timeout(CONNECT) as limit:
                await self._live(limit)
        except TimeoutError:
            self._fault = ToolUnavailable(f"The MCP server did not open a session within {CONNECT:g} seconds.")
        except ToolError as error:
            self._fault = error
        finally:
            self._session = None
            self._end.set()
            self._ready.set()
            if self._timer is not None:
                self._timer.cancel()

    async def _live(self, limit: asyncio.Timeout) -> None:
        """Speak the transport that was asked for; else the new one, and the old one if the server knows no better.

        The rule is the specification's: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
        """
        asked = self._endpoint.transport
        transports: tuple[_Transport, ...] = ("http", "sse") if asked == "auto" else (asked,)
        faults: list[ToolError] = []
        for transport in transports:
            attempt = Attempt()
            try:
                return await self._speak(transport, attempt, limit)
            except ToolError as error:
                faults.append(error)
            if self._ready.is_set() or not _old(attempt):
                break
        raise faults[0]

    async def _speak(self, transport: _Transport, attempt: Attempt, limit: asyncio.Timeout) -> None:
        """Open a session, keep it until it is told to end, and close it."""
        loop = asyncio.get_running_loop()
        ATTEMPT.set(attempt)
        with told(attempt):
            async with AsyncExitStack() as stack:
                http = self._http(broken=self.end if transport == "sse" else None)
                stack.push_async_callback(http.aclose)
                self._session = await self._greet(stack, self._streams(transport, http), transport)
                limit.reschedule(None)
                self._ready.set()
                await self._end.wait()
                self._session = None
                limit.reschedule(loop.time() + CLOSE)

    async def _greet(self, stack: AsyncExitStack, streams: Any, transport: _Transport) -> ClientSession:
        us = Implementation(name="rondo", version="1")
        mode: Literal["auto", "legacy"] = "auto" if transport == "http" else "legacy"
        client = Client(streams, mode=mode, cache=None, client_info=us)
        return (await stack.enter_async_context(client)).session

    def _streams(self, transport: _Transport, http: httpx2.AsyncClient) -> AbstractAsyncContextManager[Any]:
        match transport:
            case "http":
                return streamable_http_client(self._endpoint.url, http_client=http, max_sse_event_size=MAX_RESPONSE)
            case "sse":
                return sse_client(self._endpoint.url, httpx_client_factory=lambda *_, **__: http)

    def _http(self, *, broken: Callable[[], None] | None) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=Wire(self._client(), broken=broken),
            headers={"user-agent": "rondo", "accept-encoding": "identity", **dict(self._endpoint.headers)},
            timeout=_HTTP,
            trust_env=False,
        )


def _old(attempt: Attempt) -> bool:
    return attempt.status is not None and 400 <= attempt.status < 500 and attempt.status not in _AUTH
