"""httpx2 over aiohttp, against real servers on loopback."""

import asyncio
import gzip
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest
from aiohttp import client_exceptions, http_exceptions

from agents.models import transport

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"


@asynccontextmanager
async def served(serve: Serve, *, max_connections: int = 10) -> AsyncIterator[tuple[httpx2.AsyncClient, str]]:
    """Give a client, and the address of a server that lets `serve` handle every connection; leave when all are closed."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.append(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    handled: list[Any] = []
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        try:
            async with transport.client(max_connections=max_connections) as client:
                yield client, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            await asyncio.gather(*handled)


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def answering(raw: bytes, heads: list[bytes] | None = None) -> Serve:
    """Answer every request on a connection with these bytes; keep the requests' heads."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            request = await head(reader)
            if heads is not None:
                heads.append(request)
            writer.write(raw)
            await writer.drain()

    return serve


def fetch(serve: Serve, **options: Any) -> httpx2.Response:
    async def get() -> httpx2.Response:
        async with served(serve) as (client, url):
            return await client.get(url, **options)

    return asyncio.run(get())


def test_the_body_arrives_in_the_pieces_in_which_it_was_sent() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in (b"a", b"b"):
            writer.write(b"1\r\n" + piece + b"\r\n")
            await writer.drain()
            await go_on.wait()
        writer.write(b"0\r\n\r\n")

    async def read() -> list[bytes]:
        pieces = []
        async with served(serve) as (client, url), client.stream("POST", url, content=b"{}") as response:
            async for piece in response.aiter_raw():
                pieces.append(piece)
                go_on.set()
        return pieces

    go_on = asyncio.Event()
    assert asyncio.run(read()) == [b"a", b"b"]


def test_a_compressed_body_is_decoded_once() -> None:
    body = gzip.compress(b"hello")
    head_ = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    response = fetch(answering(head_ + body))
    assert (response.text, list(response.headers)) == ("hello", [])


def test_requests_carry_no_cookies_and_no_headers_of_the_transports_own() -> None:
    async def twice() -> None:
        async with served(answering(OK + b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n", heads)) as (client, url):
            await client.post(url, content=b"{}")
            await client.post(url, content=b"{}")

    heads: list[bytes] = []
    asyncio.run(twice())
    names = {line.split(b":")[0].lower() for line in heads[1].splitlines()[1:-1]}
    assert names == {b"host", b"accept", b"accept-encoding", b"connection", b"user-agent", b"content-length"}


def test_a_redirect_is_given_back_and_not_followed() -> None:
    response = fetch(answering(b"HTTP/1.1 307 No\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"))
    assert (response.status_code, response.headers["location"]) == (307, "/there")


def test_a_body_read_to_its_end_leaves_the_connection_for_the_next_request() -> None:
    assert _connections(read=True) == 1


def closing(after: int, seen: list[int]) -> Serve:
    """Answer so many requests of a connection, and hang up at the next one, which is only counted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(after + 1):
            await head(reader)
            seen.append(number)
            if number < after:
                writer.write(OK + b"content-length: 2\r\n\r\nok")
                await writer.drain()

    return serve


async def posted(serve: Serve, times: int) -> list[int]:
    async with served(serve) as (client, address):
        return [(await client.post(address, content=b"")).status_code for _ in range(times)]


def test_a_request_on_a_kept_connection_that_its_server_drops_is_sent_once_more() -> None:
    seen: list[int] = []
    assert asyncio.run(posted(closing(1, seen), 2)) == [200, 200]
    assert seen == [0, 1, 0]


def test_a_request_on_a_new_connection_that_its_server_drops_is_not_repeated() -> None:
    seen: list[int] = []
    with pytest.raises(httpx2.RemoteProtocolError):
        asyncio.run(posted(closing(0, seen), 1))
    assert seen == [0]


def test_a_response_closed_early_closes_its_connection_at_once() -> None:
    assert _connections(read=False) == 2


def _connections(*, read: bool) -> int:
    """Count the connections of two requests, the first response of which is read or else closed early."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(True)
        await answering(OK + b"Content-Length: %d\r\n\r\nabc" % (3 if read else 9))(reader, writer)

    async def ask() -> None:
        async with served(serve) as (client, url):
            async with client.stream("GET", url) as response:
                if read:
                    await response.aread()
            async with client.stream("GET", url):
                pass

    opened: list[bool] = []
    asyncio.run(ask())
    return len(opened)


def test_a_read_timeout_is_honoured() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(httpx2.ReadTimeout):
        fetch(serve, timeout=httpx2.Timeout(None, read=0.05))


def test_a_full_pool_is_a_timeout_of_connecting() -> None:
    async def ask() -> None:
        never_whole = answering(OK + b"Content-Length: 9\r\n\r\n")
        async with served(never_whole, max_connections=1) as (client, url), client.stream("GET", url):
            await client.get(url, timeout=httpx2.Timeout(None, connect=0.03, pool=0.03))

    with pytest.raises(httpx2.ConnectTimeout):
        asyncio.run(ask())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense\r\n\r\n",
        OK + b"Content-Length: 9\r\n\r\nabc",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["nothing", "no HTTP", "short body", "short chunk", "no chunk", "no gzip"],
)
def test_an_answer_that_breaks_the_protocol_or_breaks_off_is_a_protocol_error(raw: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(raw)

    with pytest.raises(httpx2.RemoteProtocolError):
        fetch(serve)


def test_a_server_without_tls_cannot_be_reached_with_it() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK + b"Content-Length: 0\r\n\r\n")

    async def ask() -> None:
        async with served(serve) as (client, url):
            await client.get(url.replace("http:", "https:"))

    with pytest.raises(httpx2.ConnectError):
        asyncio.run(ask())


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://nowhere.invalid"], ids=["refused", "unknown host"])
def test_a_server_that_is_not_there_cannot_be_reached(address: str) -> None:
    async def ask() -> None:
        async with transport.client() as client:
            await client.get(address)

    with pytest.raises(httpx2.ConnectError):
        asyncio.run(ask())


def _foreign() -> list[type[BaseException]]:
    """Every exception that aiohttp's client or parser defines for failures of a request."""
    defined = (*vars(client_exceptions).values(), *vars(http_exceptions).values())
    family = (client_exceptions.ClientError, http_exceptions.HttpProcessingError)
    found = {kind for kind in defined if inspect.isclass(kind) and issubclass(kind, family)}
    return sorted(found | {TimeoutError, ConnectionResetError, ssl.SSLError}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", _foreign())
def test_every_failure_of_aiohttp_becomes_one_of_httpx2(kind: type[BaseException]) -> None:
    error: BaseException = type("Lost", (kind,), {"__init__": lambda _: None, "__str__": lambda _: "out of reach"})()
    with pytest.raises(httpx2.TransportError), transport._failures():
        raise error
