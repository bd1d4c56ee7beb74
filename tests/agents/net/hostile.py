"""Servers that mean harm, each on an address of its own, and one that keeps a secret and counts who came."""

import asyncio
import itertools
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from agents import net
from agents.net.transport import LookUp

Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OUTSIDE = "127.0.0.2"
"""Where strangers are: the only address that the operator of the tests has opened."""

OPENED = net.Networks.parse([f"{OUTSIDE}/32"])
EVERYTHING = net.Networks.parse(["0.0.0.0/0", "::/0"])
"""No protection at all."""

SECRET = b"the crown jewels"


@asynccontextmanager
async def serving(serve: Serve, host: str = OUTSIDE, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Give the port of a server that lets `serve` handle every connection; leave when all are closed."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    tasks: list[asyncio.Task[None] | None] = []
    async with await asyncio.start_server(handle, host, 0, ssl=tls) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            await asyncio.gather(*filter(None, tasks))


class Vault:
    """A server inside that everybody is kept from; `visits` are the requests that came."""

    def __init__(self) -> None:
        self.visits: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits.append(await head(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(SECRET) + SECRET)
        await writer.drain()


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def answering(*raw: bytes, heads: list[bytes] | None = None) -> Serve:
    """Answer one request a connection with these bytes in turn, the last one again and again; keep the requests' heads."""
    answers = itertools.chain(raw, itertools.repeat(raw[-1]))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await head(reader)
        if heads is not None:
            heads.append(request)
        writer.write(next(answers))
        await writer.drain()

    return serve


def page(body: bytes, *headers: str, status: int = 200) -> bytes:
    """Write an answer that ends its connection."""
    lines = [f"HTTP/1.1 {status} Fine", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(place: str, *, status: int = 302) -> bytes:
    return page(b"", f"Location: {place}", status=status)


def repeating(start: bytes, piece: bytes, *, every: float = 0.0) -> Serve:
    """Answer without end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return serve


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say the beginning of an answer, and wait for the other side to go."""
    await head(reader)
    writer.write(b"HTTP/1.1 200 O")
    await reader.read()


def bomb(size: int) -> bytes:
    """Compress `size` zeros to a thousandth."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)), packer.flush()])


def naming(**answers: Sequence[Sequence[str]]) -> LookUp:
    """Be a name server for the first labels of names: each has addresses for each look-up in turn."""
    turns = {label: itertools.chain(given, itertools.repeat(given[-1])) for label, given in answers.items()}

    async def look_up(host: str) -> list[str]:
        label = host.split(".", maxsplit=1)[0]
        if label not in turns:
            raise OSError(f"there is no {host}")
        return list(next(turns[label]))

    return look_up
