"""A provider of chats that fails in every way there is, and counts who is connected to it."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import orjson

from shared.items import Json

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


@dataclass
class Upstream:
    """What was asked, by model, and how many answers are under way. The model's name says what becomes of a call."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    open: int = 0
    most: int = 0
    keys: list[str] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Upstream]:
    """Serve in a thread of this process."""
    upstream = Upstream()
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def run() -> None:
        server = await asyncio.start_server(
            lambda reader, writer: _Connection(upstream, reader, writer).serve(), "127.0.0.1", 0
        )
        upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        ready.set()
        with suppress(asyncio.CancelledError):
            await server.serve_forever()

    def main() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(task)
        loop.close()

    task = loop.create_task(run())
    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


class _Connection:
    def __init__(self, upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._upstream = upstream
        self._reader = reader
        self._writer = writer

    async def serve(self) -> None:
        """Answer one request, then hang up."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await self._reader.readuntil(b"\r\n\r\n")
            lines = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
            body = orjson.loads(await self._reader.readexactly(int(lines["content-length"])))
            self._upstream.asked[body["model"]] += 1
            self._upstream.keys.append(lines.get("authorization", ""))
            self._upstream.open += 1
            self._upstream.most = max(self._upstream.most, self._upstream.open)
            try:
                await self._answer(body)
            finally:
                self._upstream.open -= 1
        self._writer.close()

    async def _answer(self, body: Json) -> None:
        kind, _, argument = body["model"].partition("-")
        text = body["messages"][-1]["content"]
        match kind:
            case "down":
                return
            case "status":
                await self._refuse(int(argument))
            case "slow":
                await asyncio.sleep(float(argument))
                await self._whole(text)
            case "cut":
                await self._send((HEAD + b"".join(pieces(text)))[: len(HEAD) + int(argument)])
            case "malformed":
                first, *_ = pieces(text)
                await self._send(HEAD + (first if argument == "later" else b"") + b'data: {"choices": [}\n\n')
            case "endless":
                await self._send(HEAD)
                async for piece in _endless(text):
                    await self._send(piece)
            case _ if body.get("stream"):
                await self._send(HEAD)
                for piece in pieces(text):
                    await self._send(piece)
                    await asyncio.sleep(0.002)
            case _:
                await self._whole(text)

    async def _refuse(self, status: int) -> None:
        told = orjson.dumps({"error": {"message": f"Told {status}.", "type": "error", "code": None, "param": None}})
        wait = b"retry-after: 1\r\n" if status == 429 else b""
        await self._send(
            b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b"
            % (status, wait, len(told), told)
        )

    async def _whole(self, text: str) -> None:
        message = {"role": "assistant", "content": f"heard {text}"}
        told = orjson.dumps(
            {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE}
            | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        )
        await self._send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(told), told)
        )

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _chunk(delta: Json, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return (
        b"data: "
        + orjson.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
        + b"\n\n"
    )


def pieces(text: str) -> list[bytes]:
    """Write the events of a stream that repeats what it was told, word by word."""
    usage = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE}
    return [
        *(_chunk({"content": f"{word} "}) for word in text.split()),
        _chunk({}, "stop"),
        b"data: " + orjson.dumps(usage) + b"\n\n",
        b"data: [DONE]\n\n",
    ]


async def _endless(text: str) -> AsyncIterator[bytes]:
    while True:
        yield _chunk({"content": text})
        await asyncio.sleep(0.05)
