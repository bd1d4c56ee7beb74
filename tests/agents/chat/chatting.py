"""Asking for a chat completion in a test, and reading what comes."""

import asyncio
from typing import Any

import orjson
import pytest

from agents.chat.translated import Translated
from agents.models.base import Finished, Model, ModelError, ModelEvent, Timeouts, Usage
from agents.models.scripted import Scripted
from agents.models.upstream import Answer, Ask
from shared.items import Json

USAGE = Usage(input=12, cached=4, cache_write=2, output=7, reasoning=3)
END = Finished(reason="stop", usage=USAGE, service_tier="default")


def say(text: str) -> list[Json]:
    return [{"role": "user", "content": text}]


def ask(model: str = "m", **body: Any) -> Ask:
    return Ask(
        endpoint="chat/completions", model=model, body={"messages": say("Hi"), **body}, timeouts=Timeouts(first_token=10)
    )


async def read(model: Model, ask: Ask) -> bytes:
    """Send one call and read its answer to the end."""
    answer: Answer = await Translated(model, new_id=lambda _: "chatcmpl_1", clock=lambda: 7.5).send(ask)
    body = b"".join([chunk async for chunk in answer.chunks])
    await answer.close()
    return body


def body(*turns: list[ModelEvent], **members: Any) -> bytes:
    """Have scripted turns told."""
    return asyncio.run(read(Scripted(*turns), ask(**members)))


def whole(*turns: list[ModelEvent], **members: Any) -> Json:
    """Have scripted turns told as one completion."""
    made: Json = orjson.loads(body(*turns, **members))
    return made


def message(events: list[ModelEvent], **members: Any) -> Json:
    """Return the one message of a completion."""
    made: Json = whole(events, **members)["choices"][0]["message"]
    return made


def parsed(stream: bytes) -> list[Json]:
    """Read a stream's chunks; its last event must be the mark."""
    *told, mark, end = stream.split(b"\n\n")
    assert (mark, end) == (b"data: [DONE]", b"")
    return [orjson.loads(event.removeprefix(b"data: ")) for event in told]


def chunks(*turns: list[ModelEvent], **members: Any) -> list[Json]:
    """Have scripted turns told as a stream."""
    return parsed(body(*turns, stream=True, **members))


def refusal(**members: Any) -> str:
    """Return the sentence with which a call is refused before it is sent."""
    with pytest.raises(ModelError) as caught:
        body([END], **members)
    assert caught.value.code == "invalid_prompt"
    return caught.value.message
