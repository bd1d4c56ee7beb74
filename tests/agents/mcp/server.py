"""A real MCP server, made with the SDK, that keeps book of what it is asked."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import orjson
import uvicorn
from mcp import MCPError
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp_types import CallToolResult, TextContent, ToolAnnotations

Kind: TypeAlias = Literal["http", "old-http", "sse"]
"""The stateless protocol of 2026, the one with sessions, and the transport before that."""

KINDS: tuple[Kind, ...] = ("http", "old-http", "sse")

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass
class Book:
    """What the server saw."""

    methods: Counter[str] = field(default_factory=Counter)
    """JSON-RPC methods."""
    headers: list[dict[str, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """How slow calls ended."""
    meta: list[Any] = field(default_factory=list)
    running: threading.Event = field(default_factory=threading.Event)
    """A slow call has begun."""
    over: threading.Event = field(default_factory=threading.Event)
    """And ended."""

    @property
    def sessions(self) -> int:
        """How often somebody introduced himself."""
        return self.methods["notifications/initialized"] or self.methods["server/discover"]


def tools(book: Book) -> MCPServer:
    """Make the tools."""
    server = MCPServer("tests")

    @server.tool(description="Add two numbers.", annotations=ToolAnnotations(read_only_hint=True))
    def add(a: int, b: int) -> int:
        return a + b

    @server.tool()
    def fail() -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text="The far side is on fire.")], is_error=True)

    @server.tool(structured_output=False)
    async def slow(seconds: float) -> str:
        book.running.set()
        try:
            await asyncio.sleep(seconds)
        except BaseException as error:
            book.ended.append(type(error).__name__)
            book.over.set()
            raise
        book.ended.append("done")
        return "done"

    @server.tool()
    def numbers() -> CallToolResult:
        return CallToolResult(content=[], structured_content={"all": [1, 10**25]})

    @server.tool(structured_output=False)
    def picture() -> list[Any]:
        return ["a dot", Image(data=b"12345", format="png")]

    @server.tool()
    def traced(context: Context) -> CallToolResult:
        book.meta.append(dict(context.request_context.meta or {}))
        return CallToolResult(content=[TextContent(type="text", text="ok")])

    @server.tool(structured_output=False)
    async def curious(context: Context) -> str:
        try:
            await context.request_context.session.list_roots()
        except MCPError as error:
            return f"refused: {type(error).__name__}"
        return "answered"

    return server


def app(kind: Kind, book: Book, server: MCPServer | None = None) -> App:
    """Serve tools by one of the transports, and keep book."""
    made = server or tools(book)
    inner: Any = made.sse_app(sse_path="/mcp") if kind == "sse" else made.streamable_http_app()
    return Recorder(inner, book, old=kind == "old-http")


class Recorder:
    """Reads what comes in before it passes it on; an `old` server does not know the newest way to begin."""

    def __init__(self, inner: App, book: Book, *, old: bool) -> None:
        self.inner = inner
        self.book = book
        self.old = old

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.inner(scope, receive, send)
        body, message = b"", await receive()
        while message["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
            message = await receive()
        method = orjson.loads(body).get("method", "")
        self.book.methods[method] += 1
        self.book.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        if self.old and method == "server/discover":
            return await answer(send, 400, b"What is that?")
        again = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> MutableMapping[str, Any]:
            return next(again, None) or await receive()

        return await self.inner(scope, replay, send)


async def answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Answer at once."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Running:
    """A server that listens."""

    url: str
    book: Book
    restart: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def serving(make: Callable[[Book], App]) -> Iterator[Running]:
    """Run a server in a thread of its own, on a free port."""
    book = Book()
    place = socket.create_server(("127.0.0.1", 0))
    port = place.getsockname()[1]
    place.close()
    running = [_start(make(book), port)]

    def stop() -> None:
        server, thread = running.pop()
        server.should_exit = True
        thread.join(10)

    def restart() -> None:
        stop()
        running.append(_start(make(book), port))

    try:
        yield Running(f"http://127.0.0.1:{port}/mcp", book, restart, stop)
    finally:
        while running:
            stop()


def _start(served: App, port: int) -> tuple[uvicorn.Server, threading.Thread]:
    config = uvicorn.Config(served, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        threading.Event().wait(0.01)
    return server, thread
