"""Calls of the `mcp` tool, and what a model reads of them."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
import pytest

from agents.mcp import content
from agents.tools import registry
from agents.tools.base import Call, ToolError
from agents.tools.box import Toolbox
from agents.tools.mcp import Mcp
from shared.items import Json
from shared.settings import Settings
from tests.agents.mcp.server import KINDS, App, Book, Receive, Running, Scope, Send, answer, app, serving

SETTINGS = Settings.from_env({"RONDO_ALLOW_NETWORKS": "127.0.0.1"})


@pytest.fixture
def server() -> Iterator[Running]:
    with serving(partial(app, "http")) as running:
        yield running


def call(
    spec: Json,
    name: str,
    arguments: str = "{}",
    *,
    variables: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    timeout: float = 20.0,
) -> Any:
    async def main() -> Any:
        box = Toolbox(SETTINGS)
        try:
            return await registry.run(
                {"type": "mcp", "server_label": "far", "require_approval": "never", **spec},
                arguments,
                Call(
                    name=name,
                    now=datetime(2026, 1, 2, tzinfo=UTC),
                    idempotency_key="key-1",
                    attempt=1,
                    timeout=timeout,
                    engine="text",
                    variables=variables or {},
                    secrets=secrets or {},
                    box=box,
                ),
            )
        finally:
            await box.aclose()

    return asyncio.run(main())


def test_a_result_is_its_text(server: Running) -> None:
    assert call({"server_url": server.url}, "add", '{"a": 2, "b": 3}') == "5"


@pytest.mark.parametrize("kind", KINDS)
def test_a_tool_that_fails_says_why(kind: Any) -> None:
    with serving(partial(app, kind)) as server, pytest.raises(ToolError, match="The far side is on fire"):
        call({"server_url": server.url}, "fail")


@pytest.mark.parametrize("kind", KINDS)
def test_a_tool_that_does_not_exist_is_named(kind: Any) -> None:
    with serving(partial(app, kind)) as server, pytest.raises(ToolError, match="Unknown tool: nothing"):
        call({"server_url": server.url}, "nothing")


def test_structured_content_is_given_where_there_is_no_text(server: Running) -> None:
    assert call({"server_url": server.url}, "numbers") == '{"all":[1,1e+25]}'


def test_an_image_is_described(server: Running) -> None:
    assert call({"server_url": server.url}, "picture") == "a dot\n[image, image/png, 5 bytes]"


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_tool_is_stopped_at_the_server_too(kind: Any) -> None:
    with serving(partial(app, kind)) as server:
        with pytest.raises(ToolError, match=r"longer than 0\.5 seconds"):
            call({"server_url": server.url}, "slow", '{"seconds": 20}', timeout=0.5)
        assert server.book.over.wait(5)
        assert server.book.ended == ["CancelledError"]


def test_the_idempotency_key_goes_along(server: Running) -> None:
    call({"server_url": server.url}, "traced")
    assert server.book.meta[0]["rondo/idempotency-key"] == "key-1"


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_asks_back_is_refused(kind: Any) -> None:
    with serving(partial(app, kind)) as server:
        assert call({"server_url": server.url}, "curious").startswith("refused")


def test_headers_are_rendered_with_secrets_and_arrive(server: Running) -> None:
    spec = {
        "server_url": server.url.replace("127.0.0.1", "{{host}}"),
        "headers": {"X-Key": {"secret": "sec_1"}, "X-Plain": "of {{who}}"},
        "authorization": {"secret": "sec_2"},
    }
    variables = {"host": "127.0.0.1", "who": "Ada", "token": "t0ken"}
    call(spec, "add", '{"a": 1, "b": 1}', variables=variables, secrets={"sec_1": "Key {{token}}", "sec_2": "abc {{who}}"})
    for seen in server.book.headers:
        assert (seen["x-key"], seen["x-plain"], seen["authorization"]) == ("Key t0ken", "of Ada", "Bearer abc Ada")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"headers": {"X-Key": "{{evil}}"}}, r"^The header 'X-Key' of the MCP server is too long, or has characters"),
        ({"headers": {"X-Key": {"secret": "sec_9"}}}, r"^The header 'X-Key' of the MCP server is a secret that is no longer"),
        ({"headers": {"Host": "elsewhere"}}, r"^An MCP server cannot be given a header 'Host'\.$"),
        ({"headers": {"X Key": "a"}}, r"^An MCP server cannot be given a header 'X Key'\.$"),
        ({"headers": {"X-Key": "{{unknown}}"}}, r"^The MCP server could not be asked: The variable 'unknown' is used in"),
        ({"server_url": "ftp://far.test"}, r"^The MCP server's address must begin with http"),
        ({"server_url": "http://far.test/\r\nX: y"}, r"^The MCP server's address is too long, or has blanks"),
        ({"server_url": "http://[far/"}, r"^The MCP server's address is not a URL\.$"),
        ({"server_url": "http://far.test/" + "a" * 3000}, r"^The MCP server's address is too long"),
    ],
)
def test_what_cannot_be_sent_is_explained_without_its_value(spec: Json, sentence: str) -> None:
    with pytest.raises(ToolError, match=sentence) as caught:
        call({"server_url": "http://far.test", **spec}, "add", variables={"evil": "hush\r\nX-Other: 1"})
    assert "hush" not in caught.value.message


def always(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Any:
    """Make servers that answer whatever is asked in the same way."""

    def make(book: Book) -> App:
        async def served(scope: Scope, _: Receive, send: Send) -> None:
            if scope["type"] == "http":
                book.methods[scope["method"]] += 1
                await answer(send, status, body, *headers)

        return served

    return make


JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream")


@pytest.mark.parametrize("transport", ["http", "sse"])
@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b"\xff\x00{{{", [JSON]),
        (200, b'{"jsonrpc": "2.0"}', [JSON]),
        (200, b'{"jsonrpc": "2.0", "id": 1, "result": []}', [JSON]),
        (200, b"[" * 100_000, [JSON]),
        (200, b"data: {]\n\n", [EVENTS]),
        (200, b"event: endpoint\ndata: http://elsewhere.test/\n\n", [EVENTS]),
        (200, b"<html>", [(b"content-type", b"text/html")]),
        (200, b"\x1f\x8bnothing", [JSON, (b"content-encoding", b"gzip")]),
        (202, b"", []),
        (500, b"oh no", []),
        (401, b'{"detail": "who are you?"}', [JSON]),
    ],
)
def test_a_server_that_answers_garbage_is_a_failure_that_is_explained(
    transport: str, status: int, body: bytes, headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.mcp.connection.CONNECT", 1.0)
    with serving(always(status, body, *headers)) as server, pytest.raises(ToolError, match=r"MCP server.*\.$") as caught:
        call({"server_url": server.url, "transport": transport}, "add")
    assert len(caught.value.message) < 300


def test_an_answer_that_is_too_long_is_not_read_to_its_end() -> None:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = orjson.loads((await receive())["body"])
        error = {"jsonrpc": "2.0", "id": asked.get("id"), "error": {"code": -32000, "message": "I took my time"}}
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        for body in (*[b" " * 1_000_000] * 9, orjson.dumps(error)):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    with serving(lambda _: late) as server, pytest.raises(ToolError, match="does not follow the protocol"):
        call({"server_url": server.url, "transport": "http"}, "add")


@pytest.mark.parametrize("transport", ["auto", "http", "sse"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_elsewhere_is_not_followed(transport: str, status: int) -> None:
    with (
        serving(partial(app, "http")) as inside,
        serving(always(status, b"", (b"location", inside.url.replace("127.0.0.1", "localhost").encode()))) as outside,
    ):
        with pytest.raises(ToolError, match="MCP server"):
            call({"server_url": outside.url, "transport": transport}, "add")
        assert not inside.book.methods


def test_a_call_is_never_repeated_by_itself() -> None:
    assert Mcp().effect({"type": "mcp"}) == "at_most_once"


@pytest.mark.parametrize(("spec", "seconds"), [({}, 60.0), ({"timeout": 5}, 5.0)])
def test_a_call_has_the_time_that_its_spec_gives(spec: Json, seconds: float) -> None:
    assert Mcp().timeout(spec) == seconds


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}, "[audio, audio/wav, 3 bytes]"),
        ({"type": "resource", "resource": {"uri": "file:///a", "text": "hello"}}, "[resource file:///a]\nhello"),
        (
            {"type": "resource", "resource": {"uri": "file:///a", "blob": "AA==", "mimeType": "a/b"}},
            "[resource file:///a, a/b, 1 bytes]",
        ),
        ({"type": "resource_link", "uri": "file:///a", "name": "a"}, "[link to resource file:///a, unknown type]"),
        ({"type": "hologram"}, "[content of an unknown type]"),
    ],
)
def test_each_kind_of_content_is_told(block: Json, text: str) -> None:
    assert content.text({"content": [block]}) == text
