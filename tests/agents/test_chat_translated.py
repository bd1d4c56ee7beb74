"""Chat completions over models of other wires, held against what OpenAI's own client reads."""

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from agents.chat.messages import items
from agents.chat.translated import Translated
from agents.models.base import (
    Finished,
    ModelError,
    ModelEvent,
    ReasoningDelta,
    ReasoningDone,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
    Usage,
)
from agents.models.demo import Demo
from agents.models.scripted import Scripted
from agents.models.upstream import Answer, Ask
from shared.items import Json

USAGE = Usage(input=12, cached=4, output=7, reasoning=3)
END = Finished(reason="stop", usage=USAGE)
TALK: list[ModelEvent] = [
    ReasoningDelta("hm"),
    ReasoningDone("c2VhbGVk"),
    TextDelta("Let me "),
    TextDelta("look."),
    ToolCallStarted("a", "call_1", "weather"),
    ToolCallDelta("a", '{"city":'),
    ToolCallStarted("b", "call_2", "note", kind="custom"),
    ToolCallDelta("b", "plain"),
    ToolCallDelta("a", '"Oslo"}'),
    ToolCallDone("a"),
    ToolCallDone("b"),
    END,
]


def ask(**body: Any) -> Ask:
    return Ask(endpoint="chat/completions", model="m", body={"messages": [{"role": "user", "content": "Hi"}], **body})


def answer(events: list[ModelEvent], **body: Any) -> bytes:
    async def go() -> bytes:
        got: Answer = await Translated(Scripted(events)).send(ask(**body))
        return b"".join([chunk async for chunk in got.chunks])

    return asyncio.run(go())


def chunks(events: list[ModelEvent]) -> list[Json]:
    *told, mark, end = answer(events, stream=True).split(b"\n\n")
    assert (mark, end) == (b"data: [DONE]", b"")
    return [orjson.loads(event.removeprefix(b"data: ")) for event in told]


def test_a_whole_answer_is_what_the_client_expects() -> None:
    read = ChatCompletion.model_validate(orjson.loads(answer(TALK)), strict=True)
    message = read.choices[0].message
    assert message.content == "Let me look."
    assert [call.type for call in message.tool_calls or ()] == ["function", "custom"]
    assert read.choices[0].finish_reason == "tool_calls"
    assert read.usage is not None
    assert (read.usage.prompt_tokens, read.usage.completion_tokens, read.usage.total_tokens) == (12, 7, 19)


def test_the_streamed_pieces_add_up_to_the_whole_answer() -> None:
    only_functions = [event for event in TALK if getattr(event, "key", "a") == "a"]
    state: Any = ChatCompletionStreamState()
    for chunk in chunks(only_functions):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    folded = state.get_final_completion().choices[0].message
    whole = orjson.loads(answer(only_functions))["choices"][0]["message"]
    assert folded.content == whole["content"]
    assert folded.tool_calls[0].function.arguments == whole["tool_calls"][0]["function"]["arguments"]


def test_a_stream_ends_with_its_usage() -> None:
    last = chunks([TextDelta("Hi"), END])[-1]
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 4


def test_what_a_model_thought_can_be_given_back() -> None:
    message = orjson.loads(answer(TALK))["choices"][0]["message"]
    message["tool_calls"] = message["tool_calls"][:1]
    thought, *_ = items([{"role": "user", "content": "Hi"}, message])[1:]
    assert thought == {"type": "reasoning", "summary": [], "encrypted_content": "c2VhbGVk"}


@pytest.mark.parametrize(("reason", "told"), [("max_output_tokens", "length"), ("content_filter", "content_filter")])
def test_the_reason_of_an_end_is_told_in_the_words_of_chats(reason: Any, told: str) -> None:
    got = orjson.loads(answer([TextDelta("Hi"), Finished(reason=reason, usage=None)]))
    assert got["choices"][0]["finish_reason"] == told


def test_a_model_that_fails_at_once_fails_before_anything_is_sent() -> None:
    failing = Scripted([ModelError("rate_limit_exceeded", "Slow down.")])
    with pytest.raises(ModelError, match="Slow down"):
        asyncio.run(Translated(failing).send(ask(stream=True)))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"n": 9}, "'n'"),
        ({"modalities": ["text", "audio"]}, "'modalities[1]'"),
        ({"web_search_options": {}}, "'web_search_options'"),
        ({"temperature": "warm"}, "'temperature'"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "'messages[0].role'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "'messages[0].content[0].image_url'"),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}, "'messages[0]'"),
        ({"response_format": {"type": "xml"}}, "'response_format.type'"),
        ({"tools": [{"type": "browser"}]}, "'tools[0].type'"),
        ({"tool_choice": "perhaps"}, "'tool_choice'"),
    ],
)
def test_what_cannot_be_translated_is_named(body: Json, named: str) -> None:
    with pytest.raises(ModelError) as caught:
        asyncio.run(Translated(Demo()).send(ask(**body)))
    assert caught.value.code == "invalid_prompt"
    assert named in caught.value.message


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "name", "function", "id"]), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = ["tools", "tool_choice", "response_format", "stop", "n", "thinking", "reasoning", "functions", "logprobs", "top_k"]


def outcome(body: Json) -> str | None:
    try:
        asyncio.run(Translated(Scripted([END])).send(ask(**body)))
    except ModelError as refused:
        return refused.code
    return None


@given(body=st.dictionaries(st.sampled_from(["messages", *MEMBERS]), values, max_size=4))
def test_whatever_is_asked_is_answered_or_refused(body: Json) -> None:
    assert outcome(body) in {None, "invalid_prompt"}
