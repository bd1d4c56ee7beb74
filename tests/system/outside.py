"""The world outside of a run: a provider that follows a script, and a server for HTTP tools that keeps book of what is done."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shared.items import Json

Said: TypeAlias = str | int | list[tuple[str, Json]]
"""What a model says: a text, calls of functions by `(name, arguments)`, or that it fails with a status."""

Script: TypeAlias = Callable[[int], Said]
"""What a model says in a turn, counted from 1."""

PAUSE = 0.01
"""Seconds between two pieces of an answer."""


@dataclass
class Outside:
    """What the world saw. `scripts` are the provider's models by name."""

    scripts: dict[str, Script]
    port: int = 0
    acting: float = 0.06
    """Seconds from an effect to the answer that tells of it."""
    asked: Counter[str] = field(default_factory=Counter)
    """Requests by model."""
    turns: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Requests by model and turn."""
    told: dict[str, str] = field(default_factory=dict)
    """What models were told of each call, by its id."""
    unpaired: list[str] = field(default_factory=list)
    """Conversations in which a call had no result, or more than one."""
    looks: Counter[str] = field(default_factory=Counter)
    """Requests without an effect, by what they were for."""
    acts: Counter[str] = field(default_factory=Counter)
    """Effects, by their `Idempotency-Key`."""
    heard: list[Json] = field(default_factory=list)
    """What providers were asked, as it came."""
    received: list[Json] = field(default_factory=list)
    """Requests that were repeated in their answer: their URL, headers and body."""
    lingering: threading.Event = field(default_factory=threading.Event)
    """Somebody waits for an answer that never comes."""
    left: threading.Event = field(default_factory=threading.Event)
    """They went away."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/look/{what}", self._look),
                Route("/act/{what}", self._act, methods=["POST"]),
                Route("/repeat/{what}", self._repeat, methods=["GET", "POST"]),
                Route("/linger", self._linger),
            ]
        )

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        model, messages = body["model"], body["messages"]
        turn = 1 + sum(message["role"] == "assistant" for message in messages)
        self.heard.append(body)
        self.asked[model] += 1
        self.turns[model, turn] += 1
        self.told |= {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}
        self.unpaired += _unpaired(messages)
        await asyncio.sleep(0.02)
        said = self.scripts[model](turn)
        if isinstance(said, int):
            return JSONResponse({"error": {"message": f"It fails with {said}."}}, said)
        return StreamingResponse(_spoken(said, turn, len(messages)), media_type="text/event-stream")

    async def _look(self, request: Request) -> Response:
        self.looks[request.path_params["what"]] += 1
        await asyncio.sleep(0.02)
        return JSONResponse({"seen": request.path_params["what"]})

    async def _act(self, request: Request) -> Response:
        self.acts[request.headers["idempotency-key"]] += 1
        await asyncio.sleep(self.acting)
        return JSONResponse({"done": request.path_params["what"]})

    async def _repeat(self, request: Request) -> Response:
        said = {"url": str(request.url), "headers": dict(request.headers), "body": (await request.body()).decode()}
        self.received.append(said)
        return JSONResponse(said)

    async def _linger(self, request: Request) -> Response:
        self.lingering.set()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.left.set()
        return Response()


def _unpaired(messages: list[Json]) -> list[str]:
    """Name the calls of a conversation that are not followed by exactly one result each."""
    asked = [call["id"] for message in messages for call in message.get("tool_calls") or []]
    told = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    return sorted((Counter(asked) - Counter(told)) + (Counter(told) - Counter(asked))) + [
        call_id for call_id, times in Counter(asked).items() if times > 1
    ]


async def _spoken(said: str | list[tuple[str, Json]], turn: int, prompt: int) -> AsyncIterator[bytes]:
    """Stream an answer in pieces; its usage tells how long the conversation was."""
    for delta in _deltas(said, turn):
        yield _chunk({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        await asyncio.sleep(PAUSE)
    reason = "stop" if isinstance(said, str) else "tool_calls"
    yield _chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    yield _chunk({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": 7, "total_tokens": prompt + 7}})
    yield b"data: [DONE]\n\n"


def _deltas(said: str | list[tuple[str, Json]], turn: int) -> Iterator[Json]:
    if isinstance(said, str):
        yield from ({"content": piece} for piece in said)
        return
    for index, (name, arguments) in enumerate(said):
        begun = {"id": f"call_{turn}_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [{"index": index, **begun}]}
        yield {"tool_calls": [{"index": index, "function": {"arguments": orjson.dumps(arguments).decode()}}]}


def _chunk(content: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps({"id": "chat", "object": "chat.completion.chunk", **content})


@contextmanager
def serving(**scripts: Script) -> Iterator[Outside]:
    """Serve the world in a thread of its own; `scripts` by model, with `_` for `-`."""
    outside = Outside({name.replace("_", "-"): script for name, script in scripts.items()})
    config = uvicorn.Config(outside.app, log_config=None, ws="none", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        outside.port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield outside
        finally:
            server.should_exit = True
            thread.join(10)
