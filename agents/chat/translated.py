"""Chat completions over any model."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import orjson

from agents.chat import request
from agents.chat.choices import Choices
from agents.chat.chunks import Encoder
from agents.chat.deltas import Told, tell
from agents.chat.whole import Whole
from agents.models.base import Model
from agents.models.upstream import EVENTS, JSON, Answer, Ask, Endpoint
from shared import ids
from shared.items import Json


class Translated:
    """A model as an upstream that has chat completions and nothing else."""

    endpoints: frozenset[Endpoint] = frozenset({"chat/completions"})

    def __init__(self, model: Model, *, new_id: Callable[[str], str] = ids.new, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells Unix seconds."""
        self._model = model
        self._new_id = new_id
        self._clock = clock

    async def send(self, ask: Ask) -> Answer:
        """Take a turn, or several; return once they have begun, or the whole of them unless streamed. Raises ModelError."""
        asked = request.read(ask.body, model=ask.model, timeouts=ask.timeouts)
        head = {"id": self._new_id("chatcmpl"), "created": int(self._clock()), "model": ask.model}
        choices = Choices([self._model.stream(asked.turn) for _ in range(asked.choices)])
        told = tell(choices, functions=asked.functions)
        try:
            await choices.begin()
            if ask.stream:
                chunks = _chunks(told, Encoder(head, choices=asked.choices))
                return Answer(media_type=EVENTS, chunks=chunks, close=choices.close)
            whole = await _whole(told, Whole(head, choices=asked.choices))
        except BaseException:
            await choices.close()
            raise
        await choices.close()
        return Answer(media_type=JSON, chunks=_one(orjson.dumps(whole)), whole=whole)


async def _chunks(told: AsyncIterator[Told], encoder: Encoder) -> AsyncGenerator[bytes, None]:
    async for one in told:
        yield encoder.encode(one)


async def _whole(told: AsyncIterator[Told], whole: Whole) -> Json:
    async for one in told:
        whole.add(one)
    return whole.completion()


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body
