"""A model's events as a chat completion, streamed and whole, held against what OpenAI's own client reads."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from agents.chat.translated import Translated
from agents.models import opaque
from agents.models.base import (
    AnnotationAdded,
    Finished,
    ItemDone,
    ModelError,
    ModelEvent,
    ReasoningDelta,
    ReasoningDone,
    ReasoningSummaryDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallDone,
    ToolCallStarted,
)
from agents.models.scripted import Scripted
from shared.items import Json
from tests.agents.chat.chatting import END, ask, chunks, message, whole

TALK: list[ModelEvent] = [
    ReasoningDelta("hm"),
    ReasoningDone("sealed"),
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
CITED: Json = {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 3}
LIKELY: Json = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}


def test_a_whole_answer_is_what_the_client_expects() -> None:
    read = ChatCompletion.model_validate(whole(TALK), strict=True)
    assert (read.id, read.created, read.model, read.service_tier) == ("chatcmpl_1", 7, "m", "default")
    said = read.choices[0].message
    assert (said.role, said.content, said.refusal) == ("assistant", "Let me look.", None)
    assert [call.type for call in said.tool_calls or ()] == ["function", "custom"]
    assert read.choices[0].finish_reason == "tool_calls"


def test_usage_counts_what_was_cached_written_and_thought() -> None:
    assert whole([END])["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 7,
        "total_tokens": 19,
        "prompt_tokens_details": {
            "cached_tokens": 4,
            "cache_write_tokens": 2,
            "cache_creation_tokens": 2,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0},
    }


def test_a_stream_begins_with_the_role_and_ends_with_reason_usage_and_mark() -> None:
    told = chunks([TextDelta("Hi"), END])
    assert [chunk["choices"][0]["delta"] for chunk in told[:-1]] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hi"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in told[:-1]] == [None, None, "stop"]
    assert told[-1]["choices"] == []
    assert told[-1]["usage"] == whole([END])["usage"]


def test_every_chunk_is_of_the_same_completion() -> None:
    told = chunks(TALK)
    heads = {(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in told}
    assert heads == {("chatcmpl_1", 7, "m", "chat.completion.chunk")}


def test_a_message_that_begins_with_a_call_begins_without_content() -> None:
    assert chunks([ToolCallStarted("a", "c", "f"), END])[0]["choices"][0]["delta"]["content"] is None


def test_thoughts_are_told_in_both_members_that_clients_read() -> None:
    said = message([ReasoningSummaryDelta("h"), ReasoningDelta("m"), TextDelta("Hi"), END])
    assert (said["reasoning_content"], said["reasoning"], said["content"]) == ("hm", "hm", "Hi")


def test_a_refusal_is_told_as_such() -> None:
    events: list[ModelEvent] = [RefusalDelta("No"), RefusalDelta("."), Finished(reason="content_filter", usage=None)]
    assert (message(events)["refusal"], message(events)["content"]) == ("No.", None)


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_the_reason_of_an_end_is_told_in_the_words_of_chats(reason: Any) -> None:
    told = whole([TextDelta("Hi"), Finished(reason=reason, usage=None)])["choices"][0]["finish_reason"]
    assert told == {"max_output_tokens": "length", "content_filter": "content_filter"}[reason]


def test_citations_are_nested_and_numbered_only_in_the_stream() -> None:
    events: list[ModelEvent] = [TextDelta("Hi"), AnnotationAdded(CITED), AnnotationAdded(CITED), END]
    cited = {name: value for name, value in CITED.items() if name != "type"}
    assert message(events)["annotations"] == [{"type": "url_citation", "url_citation": cited}] * 2
    told = [chunk["choices"][0]["delta"].get("annotations") for chunk in chunks(events)[:-1]]
    assert [entry["index"] for entries in told if entries for entry in entries] == [0, 1]


def test_log_probabilities_are_told_where_the_provider_has_them() -> None:
    choice = whole([TextDelta("Hi", (LIKELY,)), END])["choices"][0]
    assert choice["logprobs"] == {"content": [LIKELY], "refusal": None}
    assert chunks([TextDelta("Hi", (LIKELY,)), END])[1]["choices"][0]["logprobs"] == choice["logprobs"]
    assert whole([TextDelta("Hi"), END])["choices"][0]["logprobs"] is None


@pytest.mark.parametrize(("data", "kind"), [("iVBORw0KGgo=", "png"), ("/9j/4AAQ", "jpeg"), ("UklGRiQA", "webp")])
def test_an_image_stands_beside_the_content(data: str, kind: str) -> None:
    made = ItemDone({"type": "image_generation_call", "id": "ig_1", "result": data})
    assert message([made, END])["images"] == [{"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{data}"}}]


def test_other_items_of_a_provider_have_no_shape_in_chats() -> None:
    assert message([ItemDone({"type": "web_search_call", "id": "ws_1"}), TextDelta("Hi"), END])["content"] == "Hi"


def test_a_client_of_functions_is_told_of_one_call_and_in_its_own_words() -> None:
    choice = whole(TALK, functions=[{"name": "weather"}])["choices"][0]
    assert choice["message"]["function_call"] == {"name": "weather", "arguments": '{"city":"Oslo"}'}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_what_is_sealed_before_anything_is_said_belongs_to_the_message() -> None:
    assert message(TALK)["reasoning_signature"] == "sealed"


def test_what_is_sealed_between_words_and_a_call_stays_with_the_call() -> None:
    events: list[ModelEvent] = [TextDelta("Hi"), ReasoningDone("s"), ToolCallStarted("a", "c", "f"), END]
    said = message(events)
    assert said["tool_calls"][0]["thought_signature"] == "s"
    assert "reasoning_signature" not in said


def test_what_is_sealed_for_a_call_stays_with_it_though_it_comes_first() -> None:
    sealed = opaque.seal("google:g", {"call_id": "c", "signature": "s"})
    said = message([ReasoningSummaryDelta("hm"), ReasoningDone(sealed), ToolCallStarted("a", "c", "f"), END])
    assert said["tool_calls"][0]["thought_signature"] == sealed


def test_several_seals_of_a_message_are_parted_by_blanks() -> None:
    events: list[ModelEvent] = [ReasoningDone("a"), ReasoningDone("b"), TextDelta("Hi"), ReasoningDone("c"), END]
    assert message(events)["reasoning_signature"] == "a b c"


def test_a_model_that_fails_at_once_fails_before_anything_is_sent() -> None:
    failing = Scripted([ModelError("rate_limit_exceeded", "Slow down.")])
    with pytest.raises(ModelError, match="Slow down"):
        asyncio.run(Translated(failing).send(ask(stream=True)))
    assert failing.closed == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("events", [[], [TextDelta("Hi")]])
def test_a_turn_that_ends_too_early_is_a_failure(events: list[ModelEvent], stream: bool) -> None:
    with pytest.raises(ModelError, match="before its answer was complete") as caught:
        whole(events, stream=stream)
    assert caught.value.code == "provider_protocol"


def test_a_stream_that_is_given_up_closes_its_turn() -> None:
    model = Scripted([TextDelta("a"), TextDelta("b"), END])

    async def give_up() -> None:
        answer = await Translated(model).send(ask(stream=True))
        assert b'"a"' in await anext(answer.chunks)
        await answer.close()

    asyncio.run(give_up())
    assert model.closed == 1


texts = st.text(max_size=8)
keys = st.integers(0, 3)


def _call(number: int, pieces: list[str], sealed: str | None) -> list[ModelEvent]:
    key = str(number)
    return [
        ReasoningDone(sealed),
        ToolCallStarted(key, f"call_{key}", "f"),
        *(ToolCallDelta(key, piece) for piece in pieces),
        ToolCallDone(key),
    ]


steps: st.SearchStrategy[list[ModelEvent]] = st.one_of(
    texts.map(lambda text: [TextDelta(text)]),
    texts.map(lambda text: [RefusalDelta(text)]),
    texts.map(lambda text: [ReasoningDelta(text)]),
    st.sampled_from(["s1", "s2"]).map(lambda sealed: [ReasoningDone(sealed)]),
    st.just([AnnotationAdded(CITED)]),
    st.just([ItemDone({"type": "image_generation_call", "result": "iVBORw"})]),
)
calls = st.lists(st.tuples(st.lists(texts, max_size=3), st.none() | st.just("s3")), max_size=3)


@st.composite
def turns(draw: st.DrawFn) -> list[ModelEvent]:
    made = [event for step in draw(st.lists(steps, max_size=8)) for event in step]
    for number, (pieces, sealed) in enumerate(draw(calls)):
        made += _call(number, pieces, sealed)
    return [*made, END]


def _unnumbered(value: Any) -> Any:
    match value:
        case dict():
            return {name: _unnumbered(one) for name, one in value.items() if name != "index"}
        case list():
            return [_unnumbered(one) for one in value]
        case _:
            return value


@given(turns())
def test_the_streamed_pieces_add_up_in_the_client_to_the_whole_answer(events: list[ModelEvent]) -> None:
    state: Any = ChatCompletionStreamState()
    for chunk in chunks(events):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    folded: Any = state.get_final_completion().to_dict(exclude_unset=False)
    made: Any = ChatCompletion.model_validate(whole(events), strict=True).to_dict(exclude_unset=False)
    told, expected = folded["choices"][0], made["choices"][0]
    message = {name: value for name, value in _unnumbered(told["message"]).items() if name != "parsed"}
    for call in message.get("tool_calls") or ():
        call["function"].pop("parsed_arguments", None)
    assert {name: value for name, value in message.items() if value not in (None, "")} == {
        name: value for name, value in expected["message"].items() if value not in (None, "")
    }
    assert told["finish_reason"] == expected["finish_reason"]
    assert folded["usage"] == made["usage"]
