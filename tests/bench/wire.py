"""A load client as raw asyncio protocol: it counts and times what it receives, and decodes as little as it can."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast

import orjson

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STAMP: Final = re.compile(rb'"(?:delta|content)": ?"(\d+\.\d+) "')
_DELTAS: Final = (b"event: response.output_text.delta\n", b'"delta":{"content":')


class BadAnswer(Exception):
    """The server's answer was not the expected one."""


@dataclass(slots=True)
class Answer:
    """What came back for one request. Times are of the monotonic clock, in seconds."""

    began: float
    status: int = 0
    body: bytes = b""
    first_event: float = 0.0
    first_delta: float = 0.0
    ended: float = 0.0
    events: int = 0
    ages: list[tuple[float, float]] = field(default_factory=list)
    """For each stamped token of a sampled stream: when it was received, and how old it was then, in seconds."""

    def json(self) -> Any:
        """Decode the body; raise BadAnswer unless the request succeeded."""
        if self.status != 200:
            raise BadAnswer(f"{self.status}: {self.body[:300].decode(errors='replace')}")
        return orjson.loads(self.body)


class Connection(asyncio.Protocol):
    """A kept-alive HTTP/1.1 connection, one request at a time."""

    def __init__(self) -> None:
        self._done: asyncio.Future[Answer] | None = None
        self.answer = Answer(0.0)

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to a local server."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one without saying so

    def ask(self, request: bytes, *, sample: bool = False) -> asyncio.Future[Answer]:
        """Send a request; the answer is complete when the future is. `sample` reads the age of every stamped token."""
        self._done = asyncio.get_running_loop().create_future()
        self._sample = sample
        self._head = b""
        self._left: int | None = None
        self._tail = b""
        self.answer = Answer(time.monotonic())
        self._transport.write(request)
        return self._done

    def close(self) -> None:
        """Disconnect."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if not self.answer.status:
            self._head += data
            head, mark, data = self._head.partition(b"\r\n\r\n")
            if not mark:
                return
            self.answer.status = int(head[9:12])
            length = _LENGTH.search(head)
            self._left = int(length[1]) if length else None
        if self._left is None:
            self._stream(data)
        else:
            self._left -= len(data)
            self.answer.body += data
            if self._left <= 0:
                self._end()

    def _stream(self, data: bytes) -> None:
        """Count the events of a chunked body. A frame ends by two newlines, and only a frame does."""
        if not data:
            return
        answer, now = self.answer, time.monotonic()
        answer.events += data.count(b"\n\n") + (self._tail.endswith(b"\n") and data.startswith(b"\n"))
        if not answer.first_event:
            answer.first_event = now
        if not answer.first_delta and any(mark in data for mark in _DELTAS):
            answer.first_delta = now
        if self._sample:
            answer.ages.extend((now, now - float(stamp)) for stamp in _STAMP.findall(data))
        self._tail = (self._tail + data)[-5:]
        if self._tail == b"0\r\n\r\n":
            self._end()

    def _end(self) -> None:
        self.answer.ended = time.monotonic()
        if self._done is not None and not self._done.done():
            self._done.set_result(self.answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(BadAnswer(f"the connection was lost ({exc or 'closed by the server'})"))


def get(path: str, *, key: str) -> bytes:
    """Make a GET request."""
    return f"GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\r\n".encode()


def post(path: str, body: object, *, key: str) -> bytes:
    """Make a POST request."""
    content = orjson.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content
