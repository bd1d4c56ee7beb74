"""Taking a turn in a test: through any `Model`, or from canned bytes through a client that never touches the network."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx2
import orjson

from agents.models.base import Model, ModelError, ModelEvent, ModelRequest, TextDelta, ToolCallDelta, ToolCallStarted
from shared.items import Json


class Canned:
    """A client's far side that gives every request the same answer and keeps the last request."""

    def __init__(self, body: bytes | list[bytes], *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.sent: Json = {}
        self.headers = httpx2.Headers()
        self._chunks = [body] if isinstance(body, bytes) else body
        self._status = status
        self._headers = headers or {}

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.headers = request.headers
        self.sent = orjson.loads(request.content)
        return httpx2.Response(self._status, headers=self._headers, content=self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


async def collect(events: AsyncIterator[ModelEvent]) -> list[ModelEvent]:
    return [event async for event in events]


def take(model: Model, request: ModelRequest) -> list[ModelEvent]:
    """Take one turn to its end."""
    return asyncio.run(collect(model.stream(request)))


def failure(taking: Callable[[], object]) -> ModelError:
    """Return the error that taking a turn ends in."""
    try:
        taking()
    except ModelError as error:
        return error
    raise AssertionError("The turn did not fail.")


def text(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls(events: list[ModelEvent]) -> dict[str, tuple[str, str, str]]:
    """Give the name, kind and arguments of each call by its call id."""
    started = {event.key: event for event in events if isinstance(event, ToolCallStarted)}
    arguments = dict.fromkeys(started, "")
    for event in events:
        if isinstance(event, ToolCallDelta):
            arguments[event.key] += event.arguments
    return {event.call_id: (event.name, event.kind, arguments[key]) for key, event in started.items()}


def frames(*events: Json | str) -> bytes:
    """Write events as a provider does, each with its type as its name."""
    return b"".join(_frame(event) for event in events)


def _frame(event: Json | str) -> bytes:
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    name = f"event: {event['type']}\n".encode() if "type" in event else b""
    return name + b"data: " + orjson.dumps(event) + b"\n\n"
