"""The far side of tools and models, which repeats all that it was sent: in every spelling, in errors, in tiny pieces."""

import base64
import html
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent

from shared.items import Json
from tests.agents.mcp import server as mcp
from tests.agents.mcp.server import Book

USER = "user"
"""Whose password the secret of a Basic authorization is."""


@dataclass
class FarSide:
    """Servers that listen, what they received, and what the model says besides what it sees."""

    http: str = ""
    mcp: dict[str, str] = field(default_factory=dict)
    """Two MCP servers by the prefix of their tools' names."""
    gossip: dict[str, list[str]] = field(default_factory=dict)
    """What each model has learnt elsewhere, and repeats."""
    received: list[str] = field(default_factory=list)
    """By tools."""
    shown: list[str] = field(default_factory=list)
    """To models."""


def basic(password: str) -> str:
    """Write an authorization of the scheme Basic."""
    return f"Basic {base64.b64encode(f'{USER}:{password}'.encode()).decode()}"


def spelled(text: str) -> list[str]:
    """Write a text as programs do."""
    data = text.encode()
    return [
        text,
        base64.b64encode(f"{USER}:{text}".encode()).decode(),
        base64.urlsafe_b64encode(data).decode(),
        quote(text, safe=""),
        json.dumps(text),
        html.escape(text),
        data.hex(),
        data.hex().upper(),
    ]


def repeated(headers: dict[str, str]) -> Json:
    """Spell each header, also the part after a scheme, and what a Basic one encodes."""
    said = {}
    for name, value in headers.items():
        scheme, _, rest = value.partition(" ")
        credential = rest if scheme in {"Basic", "Bearer", "Token"} else ""
        basic = base64.b64decode(credential).decode() if scheme == "Basic" else ""
        parts = [value, credential, basic, basic.partition(":")[2]]
        said[name] = [spelling for part in parts if part for spelling in spelled(part)]
    return said


@contextmanager
def serving() -> Iterator[FarSide]:
    """Run all servers in threads of this process."""
    far = FarSide()
    with ExitStack() as stack:
        handler = type("Handler", (_Handler,), {"far": far})
        web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        stack.callback(web.server_close)
        thread = threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(web.shutdown)
        far.http = f"http://127.0.0.1:{web.server_address[1]}"
        for name in ("first", "second"):
            running = stack.enter_context(mcp.serving(lambda book, name=name: mcp.app("http", book, _tools(far, book, name))))  # type: ignore[misc]
            far.mcp[name] = running.url
        yield far


def _tools(far: FarSide, book: Book, name: str) -> MCPServer:
    """Make an MCP server's two tools: one succeeds, the other fails."""
    server = MCPServer(name)

    def said(*, is_error: bool) -> CallToolResult:
        far.received += book.headers[-1].values()
        return CallToolResult(
            content=[TextContent(type="text", text=json.dumps(repeated(book.headers[-1])))], is_error=is_error
        )

    @server.tool(name=f"{name}_reveal")
    def reveal() -> CallToolResult:
        return said(is_error=False)

    @server.tool(name=f"{name}_blame")
    def blame() -> CallToolResult:
        return said(is_error=True)

    return server


class _Handler(BaseHTTPRequestHandler):
    far: ClassVar[FarSide]

    def do_GET(self) -> None:
        self._echo()

    def do_POST(self) -> None:
        if self.path.endswith("/chat/completions"):
            self._complete(self.rfile.read(int(self.headers["content-length"])))
        else:
            self._echo()

    def log_message(self, *_: object) -> None:
        pass

    def _echo(self) -> None:
        """Repeat a request: as JSON, or where the path says so as the text of a failure."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        headers = dict(self.headers.items())
        self.far.received += (self.path, *headers.values(), body)
        told = orjson.dumps({"path": self.path, "headers": repeated(headers), "body": body})
        self._answer(500 if self.path.startswith("/fail") else 200, told, kind="application/json")

    def _answer(self, status: int, body: bytes, *, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("location", self.path)
        self.end_headers()
        self.wfile.write(body)

    def _complete(self, raw: bytes) -> None:
        """Answer for a model."""
        self.far.shown.append(raw.decode())
        asked = orjson.loads(raw)
        gossip = self.far.gossip[asked["model"]]
        if asked["model"] == "broken":
            fault = {"error": {"message": f"Cannot read {' '.join(gossip)}", "type": "invalid_request_error"}}
            self._answer(400, orjson.dumps(fault), kind="application/json")
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for delta, reason in _turn(asked, gossip):
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            self.wfile.write(
                b"data: %b\n\n" % orjson.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})
            )
        self.wfile.write(b"data: [DONE]\n\n")


def _turn(asked: Json, gossip: list[str]) -> Iterator[tuple[Json, str | None]]:
    """Think what was learnt elsewhere, say that and all that is seen, and call each tool once with it; in tiny pieces."""
    messages = asked["messages"]
    seen = [str(message.get("content")) for message in messages if message["role"] != "assistant"]
    known = [spelling for text in gossip for spelling in spelled(text)]
    yield from (({"reasoning_content": piece}, None) for piece in _pieces(" ".join(gossip)))
    yield from (({"content": piece}, None) for piece in _pieces(" ".join([*known, *seen])))
    called = {call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}
    offered = [tool["function"] for tool in asked.get("tools") or ()]
    calls = [function for function in offered if function["name"] not in called]
    for index, function in enumerate(calls):
        yield _call(index, id=f"call_{index}_{len(messages)}", function={"name": function["name"], "arguments": ""}), None
        arguments = {name: _argument(one, gossip) for name, one in function["parameters"].get("properties", {}).items()}
        yield from ((_call(index, function={"arguments": piece}), None) for piece in _pieces(json.dumps(arguments)))
    yield {}, "tool_calls" if calls else "stop"


def _call(index: int, **members: Any) -> Json:
    return {"tool_calls": [{"index": index, "type": "function", **members}]}


def _argument(schema: Json, gossip: list[str]) -> str:
    return str(schema["enum"][0]) if "enum" in schema else " ".join(gossip)


def _pieces(text: str) -> Iterator[str]:
    """Cut a text into pieces of one, two and three characters, over and over."""
    place = 0
    while place < len(text):
        size = 1 + place % 3
        yield text[place : place + size]
        place += size
