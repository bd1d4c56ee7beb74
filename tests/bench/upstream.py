"""A fake provider of chats and embeddings that costs as little CPU as Python can: `python -m tests.bench.upstream PORT`.

A request's model says what to answer: `tokens=200,rate=20,delay=0.5` is 200 tokens, 20 a second, the first after half a
second; rate 0 sends them all at once. A paced token's text is the time at which it was sent, so that a reader knows its age.
"""

import asyncio
import re
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

import uvloop

TICK: Final = 0.005
"""Seconds between two looks at the paced streams; those of one rate are spread over the ticks of their period."""

STREAM_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_CHUNK: Final = (
    b'data: {"id":"bench","object":"chat.completion.chunk","created":1,"model":"bench",'
    b'"choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
)
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MODEL: Final = re.compile(rb'"model": ?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Plan:
    """One answer: how many tokens, how many a second (0: all at once), and the seconds before the first."""

    tokens: int = 20
    rate: float = 0.0
    delay: float = 0.0


@lru_cache(maxsize=64)
def plan(model: bytes) -> Plan:
    """Read a model's name."""
    values = dict(part.split("=") for part in model.decode().split(",") if "=" in part)
    return Plan(int(values.get("tokens", 20)), float(values.get("rate", 0)), float(values.get("delay", 0)))


def _framed(data: bytes) -> bytes:
    """Make a chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _token(text: bytes) -> bytes:
    return _CHUNK % (b'{"content":"%b"}' % text, b"null")


def _usage(tokens: int) -> bytes:
    return b'"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}' % (tokens, tokens + 10)


@lru_cache(maxsize=64)
def _ending(tokens: int) -> bytes:
    usage = b'data: {"id":"bench","object":"chat.completion.chunk","choices":[],%b}\n\n' % _usage(tokens)
    return _framed(_CHUNK % (b"{}", b'"stop"') + usage + b"data: [DONE]\n\n") + b"0\r\n\r\n"


@lru_cache(maxsize=16)
def _at_once(tokens: int) -> bytes:
    return STREAM_HEAD + _framed(_token(b"token ") * tokens) + _ending(tokens)


@lru_cache(maxsize=16)
def _whole(tokens: int) -> bytes:
    message = b'{"role":"assistant","content":"%b"}' % (b"token " * tokens)
    choice = b'{"index":0,"message":%b,"finish_reason":"stop"}' % message
    return _json(b'{"id":"bench","object":"chat.completion","choices":[%b],%b}' % (choice, _usage(tokens)))


@lru_cache(maxsize=1)
def _embedding() -> bytes:
    numbers = b",".join(b"%.7f" % (number / 1000) for number in range(-128, 128))
    data = b'{"object":"embedding","index":0,"embedding":[%b]}' % numbers
    usage = b'"usage":{"prompt_tokens":10,"total_tokens":10}'
    return _json(b'{"object":"list","model":"bench","data":[%b],%b}' % (data, usage))


def _json(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


@dataclass(slots=True, eq=False)
class Paced:
    """A stream on its way."""

    transport: asyncio.WriteTransport
    tokens: int
    left: int


class Pacer:
    """Sends the tokens of all paced streams. Streams that are due together get the same bytes."""

    def __init__(self) -> None:
        self.open = 0
        self._wheels: dict[float, list[set[Paced]]] = {}
        self._turns = 0
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._tick()

    def begin(self, transport: asyncio.WriteTransport, wanted: Plan) -> None:
        """Send a stream's head, and its tokens from now on."""
        transport.write(STREAM_HEAD)
        wheel = self._wheels.setdefault(wanted.rate, [set() for _ in range(max(1, round(1 / wanted.rate / TICK)))])
        min(wheel, key=len).add(Paced(transport, wanted.tokens, wanted.tokens))
        self.open += 1

    def _tick(self) -> None:
        for rate, wheel in self._wheels.items():
            if streams := wheel[self._turns % len(wheel)]:
                self._send(streams, count=round(rate * TICK * len(wheel)))
        self._turns += 1
        self._due += TICK
        self._loop.call_at(self._due, self._tick)

    def _send(self, streams: set[Paced], *, count: int) -> None:
        token = _framed(_token(b"%015.6f " % time.monotonic()))
        for stream in list(streams):
            due = min(count, stream.left)
            stream.left -= due
            ended = stream.left == 0
            stream.transport.write(token * due + (_ending(stream.tokens) if ended else b""))
            if ended or stream.transport.is_closing():
                streams.discard(stream)
                self.open -= 1


class Upstream(asyncio.Protocol):
    """One client's connection, kept alive between requests."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one without saying so

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, mark, rest = self._received.partition(b"\r\n\r\n")
        if not mark:
            return
        length = _LENGTH.search(head)
        if len(rest) < (int(length[1]) if length else 0):
            return
        self._received = b""
        if head.startswith(b"GET /stats "):
            self._transport.write(_json(b'{"open":%d}' % self._pacer.open))
        elif head.startswith(b"POST /v1/embeddings "):
            self._transport.write(_embedding())
        else:
            self._answer(rest)

    def _answer(self, body: bytes) -> None:
        model = _MODEL.search(body)
        wanted = plan(model[1] if model else b"")
        if wanted.delay:
            asyncio.get_running_loop().call_later(wanted.delay, self._begin, wanted, body)
        else:
            self._begin(wanted, body)

    def _begin(self, wanted: Plan, body: bytes) -> None:
        if b'"stream":true' not in body:
            self._transport.write(_whole(wanted.tokens))
        elif wanted.rate:
            self._pacer.begin(self._transport, wanted)
        else:
            self._transport.write(_at_once(wanted.tokens))


async def serve(port: int) -> None:
    """Serve until killed."""
    pacer = Pacer()
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(pacer), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
