"""Chat completions over any model."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final, cast

import orjson

from agents.chat import deltas, request
from agents.chat.deltas import Deltas
from agents.models.base import Finished, Model, ModelError, ModelEvent
from agents.models.upstream import EVENTS, JSON, Answer, Ask, Endpoint
from shared import ids
from shared.items import Json

DONE: Final = b"data: [DONE]\n\n"


class Translated:
    """A model as an upstream that has chat completions and nothing else."""

    endpoints: frozenset[Endpoint] = frozenset({"chat/completions"})

    def __init__(self, model: Model, *, new_id: Callable[[str], str] = ids.new, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells Unix seconds."""
        self._model = model
        self._new_id = new_id
        self._clock = clock

    async def send(self, ask: Ask) -> Answer:
        """Take a turn; return once it has begun, or the whole of it unless it is to be streamed. Raises ModelError."""
        events = cast(
            "AsyncGenerator[ModelEvent, None]",
            self._model.stream(request.read(ask.body, model=ask.model, timeouts=ask.timeouts)),
        )
        head = {"id": self._new_id("chatcmpl"), "created": int(self._clock()), "model": ask.model}
        if not ask.stream:
            async with aclosing(events):
                whole = await _whole(events, head)
            return Answer(media_type=JSON, chunks=_one(orjson.dumps(whole)), whole=whole)
        try:
            first = await anext(events)
        except StopAsyncIteration:
            raise _cut_short() from None
        except BaseException:
            await events.aclose()
            raise
        return Answer(media_type=EVENTS, chunks=_chunks(first, events, head), close=events.aclose)


def _cut_short() -> ModelError:
    return ModelError("provider_protocol", "The provider's stream ended before its answer was complete.")


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _whole(events: AsyncIterator[ModelEvent], head: Json) -> Json:
    """Read the turn to its end. Raises ModelError."""
    message = Deltas()
    said: list[Json] = []
    probabilities: list[Json] = []
    async for event in events:
        if isinstance(event, Finished):
            choice = {
                "index": 0,
                "message": deltas.added(said),
                "logprobs": {"content": probabilities, "refusal": None} if probabilities else None,
                "finish_reason": message.reason(event),
            }
            return {
                **head,
                "object": "chat.completion",
                "choices": [choice],
                "usage": deltas.usage(event.usage),
                "service_tier": event.service_tier,
                "system_fingerprint": None,
            }
        if (delta := message.of(event)) is not None:
            said.append(delta)
        probabilities += (deltas.logprobs(event) or {}).get("content", ())
    raise _cut_short()


async def _chunks(first: ModelEvent, rest: AsyncIterator[ModelEvent], head: Json) -> AsyncIterator[bytes]:
    """Write each event as it comes; what all chunks have in common is encoded once. Raises ModelError."""
    common = orjson.dumps({**head, "object": "chat.completion.chunk", "system_fingerprint": None})[:-1]
    start = b"data: " + common + b',"choices":[{"index":0,"delta":'
    message = Deltas()
    yield start + b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
    event: ModelEvent | None = first
    while event is not None:
        if isinstance(event, Finished):
            yield _ending(event, message.reason(event), start, common)
            return
        if (delta := message.of(event)) is not None:
            yield (
                start + orjson.dumps(delta) + b',"logprobs":' + _json(deltas.logprobs(event)) + b',"finish_reason":null}]}\n\n'
            )
        event = await anext(rest, None)
    raise _cut_short()


def _ending(finished: Finished, reason: str, start: bytes, common: bytes) -> bytes:
    """Write why the turn ended, what it took, and the mark."""
    tier = b',"service_tier":' + _json(finished.service_tier)
    reason_chunk = start + b'{},"logprobs":null,"finish_reason":' + _json(reason) + b"}]" + tier + b"}\n\n"
    usage_chunk = b"data: " + common + tier + b',"choices":[],"usage":' + _json(deltas.usage(finished.usage)) + b"}\n\n"
    return reason_chunk + usage_chunk + DONE


def _json(value: Any) -> bytes:
    return b"null" if value is None else orjson.dumps(value)
