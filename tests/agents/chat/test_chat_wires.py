"""Chats over other wires: against a mock that is not ours, and what a client gives back of a provider's reasoning."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import orjson
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from agents.models import transport
from agents.models.anthropic import Anthropic
from agents.models.base import Model, ModelError
from agents.models.google import Google
from agents.models.provider import Provider, Wire
from shared.items import Json
from tests.agents.chat.chatting import ask, parsed, read, say
from tests.agents.models.taking import Canned, frames

Make = Callable[[httpx2.AsyncClient, Provider], Model]

WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
wires = pytest.mark.parametrize(
    ("wire", "make", "model"),
    [("anthropic", Anthropic, "claude-opus-5"), ("google", Google, "gemini-3.1-pro-preview")],
    ids=["anthropic", "google"],
)


def answer(make: Make, provider: Provider, model: str, messages: list[Json], **members: Any) -> bytes:
    async def go() -> bytes:
        async with transport.client() as client:
            return await read(make(client, provider), ask(model, messages=messages, **members))

    return asyncio.run(go())


def both(make: Make, provider: Provider, model: str, messages: list[Json], **members: Any) -> tuple[Any, Any]:
    """Return the choice of the whole answer, and that which the client adds up of the streamed one."""
    whole = ChatCompletion.model_validate(orjson.loads(answer(make, provider, model, messages, **members)), strict=True)
    state: Any = ChatCompletionStreamState()
    for chunk in parsed(answer(make, provider, model, messages, stream=True, **members)):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    return whole.choices[0], state.get_final_completion().choices[0]


@wires
def test_a_text_is_the_same_streamed_and_whole(aimock: str, wire: Wire, make: Make, model: str) -> None:
    whole, streamed = both(make, Provider(name="mock", wire=wire, base_url=aimock), model, say("say hello"))
    assert whole.message.content == streamed.message.content == "Hello from the mock, in a few pieces."
    assert whole.finish_reason == streamed.finish_reason == "stop"


@wires
def test_calls_are_the_same_streamed_and_whole(aimock: str, wire: Wire, make: Make, model: str) -> None:
    provider = Provider(name="mock", wire=wire, base_url=aimock)
    for choice in both(make, provider, model, say("weather in two cities"), tools=[WEATHER]):
        arguments = [orjson.loads(call.function.arguments) for call in choice.message.tool_calls]
        assert arguments == [{"city": "Oslo"}, {"city": "Rome"}]
        assert choice.finish_reason == "tool_calls"


@wires
def test_thoughts_are_the_same_streamed_and_whole(aimock: str, wire: Wire, make: Make, model: str) -> None:
    provider = Provider(name="mock", wire=wire, base_url=aimock)
    for choice in both(make, provider, model, say("think about it"), reasoning_effort="low"):
        assert choice.message.reasoning_content == "Two and two make four."
        assert choice.message.content == "Four."


@wires
def test_a_tools_answer_is_used(aimock: str, wire: Wire, make: Make, model: str) -> None:
    provider = Provider(name="mock", wire=wire, base_url=aimock)
    messages = say("weather in Paris")
    called = orjson.loads(answer(make, provider, model, messages, tools=[WEATHER]))["choices"][0]["message"]
    messages += [called, {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "sunny"}]
    told = orjson.loads(answer(make, provider, model, messages, tools=[WEATHER]))
    assert told["choices"][0]["message"]["content"] == "It is sunny in Paris."


@wires
@pytest.mark.parametrize("stream", [True, False])
def test_a_providers_refusal_comes_before_anything_is_sent(
    aimock: str, wire: Wire, make: Make, model: str, stream: bool
) -> None:
    with pytest.raises(ModelError) as caught:
        answer(make, Provider(name="mock", wire=wire, base_url=aimock), model, say("hit the rate limit"), stream=stream)
    assert (caught.value.code, caught.value.retry_after) == ("rate_limit_exceeded", 7)


def _block(index: int, start: Json, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


THOUGHT: Json = {"type": "thinking", "thinking": "hm", "signature": "sig"}
HIDDEN: Json = {"type": "redacted_thinking", "data": "xyz"}
CLAUDE = frames(
    *_block(
        0,
        {"type": "thinking", "thinking": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "sig"},
    ),
    *_block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Let me look."}),
    *_block(2, HIDDEN),
    *_block(3, {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {}}),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)
CALLING: Json = {"functionCall": {"id": "c1", "name": "get_weather", "args": {}}, "thoughtSignature": "sig"}
GEMINI = frames({"candidates": [{"content": {"parts": [CALLING]}, "finishReason": "STOP"}]})


def given_back(make: Make, wire: Wire, model: str, told: bytes) -> Json:
    """Have a call streamed to the client, which adds it up and gives it back with an answer; return what is then sent."""
    canned = Canned(told)
    provider = Provider(name="p", wire=wire, base_url="https://p.test")

    async def chat() -> None:
        async with canned.client() as client:
            state: Any = ChatCompletionStreamState()
            for chunk in parsed(await read(make(client, provider), ask(model, stream=True, tools=[WEATHER]))):
                state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
            said = state.get_final_completion().choices[0].message.to_dict()
            back = [*say("Hi"), said, {"role": "tool", "tool_call_id": "c1", "content": "sunny"}]
            await read(make(client, provider), ask(model, messages=back, tools=[WEATHER]))

    asyncio.run(chat())
    return canned.sent


def test_claudes_thoughts_come_back_where_they_stood() -> None:
    blocks = given_back(Anthropic, "anthropic", "claude-opus-5", CLAUDE)["messages"][1]["content"]
    assert blocks[0] == THOUGHT
    assert blocks[1] == {"type": "text", "text": "Let me look."}
    assert blocks[2] == HIDDEN
    assert blocks[3]["type"] == "tool_use"


def test_geminis_signatures_come_back_on_their_calls() -> None:
    assert given_back(Google, "google", "gemini-3-pro", GEMINI)["contents"][1]["parts"] == [CALLING]
