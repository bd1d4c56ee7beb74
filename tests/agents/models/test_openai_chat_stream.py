"""What is made of the chunks of a Chat Completions stream, whichever server wrote them."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models import opaque
from agents.models.base import (
    AnnotationAdded,
    Finished,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    ReasoningDone,
    RefusalDelta,
    TextDelta,
    ToolCallDone,
    Usage,
)
from agents.models.openai_chat import OpenAIChat
from agents.models.provider import Provider
from shared.items import Json
from tests.agents.models.taking import Canned, calls, failure, frames, take, text

STOP: Json = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
DONE = Finished(reason="stop", usage=None)
CUSTOM: Json = {"type": "custom", "name": "g"}


def heard(*chunks: Json | str, tools: list[Json] | None = None) -> list[ModelEvent]:
    provider = Provider(name="p", wire="openai-chat", base_url="http://h/v1")
    return take(OpenAIChat(Canned(frames(*chunks)).client(), provider), ModelRequest(model="m", items=[], tools=tools or []))


def failing(*chunks: Json | str) -> Callable[[], object]:
    return lambda: heard(*chunks)


def delta(**members: Any) -> Json:
    return {"choices": [{"index": 0, "delta": members, "finish_reason": None}]}


def calling(*pieces: Json) -> Json:
    return delta(tool_calls=list(pieces))


def piece(arguments: str | Json | None = "", **members: Any) -> Json:
    """One element of `tool_calls`; `name` goes where names go."""
    function = {"arguments": arguments, **({"name": members.pop("name")} if "name" in members else {})}
    return {**members, "function": function}


def test_text_is_heard_with_its_logprobs() -> None:
    first = delta(role="assistant", content="")
    second = {"choices": [{"delta": {"content": "Hi"}, "logprobs": {"content": [{"token": "Hi", "logprob": -0.1}]}}]}
    assert heard(first, second, STOP, "[DONE]") == [TextDelta("Hi", ({"token": "Hi", "logprob": -0.1},)), DONE]


def test_a_refusal_and_a_citation_are_heard() -> None:
    citation = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    events = heard(delta(content="Hi"), delta(annotations=[citation]), delta(refusal="No."), STOP)
    assert events[1:3] == [
        AnnotationAdded({"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}),
        RefusalDelta("No."),
    ]


@pytest.mark.parametrize("member", ["reasoning_content", "reasoning"])
def test_reasoning_is_heard_and_ends_where_the_answer_begins(member: str) -> None:
    thinking = ({**delta(content=None, **{member: part})} for part in ("Two ", "and two"))
    events = heard(*thinking, delta(content="Four", **{member: None}), STOP)
    assert [type(event) for event in events] == [ReasoningDelta, ReasoningDelta, ReasoningDone, TextDelta, Finished]


def test_reasoning_is_sealed_with_the_place_it_stood_in() -> None:
    events = heard(delta(reasoning="Hm, "), delta(reasoning="yes."), delta(content="Four"), STOP)
    sealed = next(event.opaque for event in events if isinstance(event, ReasoningDone))
    assert opaque.unseal("openai-chat:p", {"encrypted_content": sealed}) == {"member": "reasoning", "text": "Hm, yes."}


def test_reasoning_as_part_of_the_content_is_told_from_the_text() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    events = heard(delta(content=[thinking]), delta(content=[{"type": "text", "text": "Four"}]), STOP)
    assert events == [ReasoningDelta("Hm."), ReasoningDone(), TextDelta("Four"), DONE]


A, B = ("f", "function", '{"n":1}'), ("f", "function", '{"n":2}')


@pytest.mark.parametrize(
    "chunks",
    [
        [
            calling(piece(index=0, id="a", name="f"), piece(index=1, id="b", name="f")),
            calling(piece('{"n"', index=0), piece('{"n"', index=1)),
            calling(piece(":1}", index=0), piece(":2}", index=1)),
        ],
        [calling(piece('{"n":1}', index=0, id="a", name="f")), calling(piece('{"n":2}', index=0, id="b", name="f"))],
        [calling(piece('{"n":1}', id="a", name="f"), piece('{"n":2}', id="b", name="f"))],
        [
            calling(piece('{"n"', index=0, id="a", name="f")),
            calling(piece(":1}", index=0, id="a", name="f")),
            calling(piece('{"n":2}', index=1, id="b", name="f")),
        ],
        [
            calling(piece("", index=0, id="a", name="f")),
            calling(piece('{"n":1}', index=0, id="x1")),
            calling(piece("", index=1, id="b", name="f")),
            calling(piece('{"n":2}', index=1, id="x2")),
        ],
        [calling(piece({"n": 1}, index=0, id="a", name="f"), piece({"n": 2}, index=1, id="b", name="f"))],
        [
            calling(piece(None, index=0, id="a")),
            calling(piece('{"n":1}', index=0, name="f")),
            calling(piece('{"n":2}', index=1, id="b", name="f")),
        ],
    ],
    ids=["interleaved", "one index", "no index", "repeated", "a new id each time", "objects", "name late"],
)
def test_calls_are_told_apart_however_a_server_numbers_them(chunks: list[Json]) -> None:
    events = heard(*chunks, STOP)
    assert calls(events) == {"a": A, "b": B}
    assert sum(isinstance(event, ToolCallDone) for event in events) == 2


def test_calls_without_ids_and_numbers_are_told_apart_and_get_ids() -> None:
    events = heard(calling(piece('{"n"', name="f")), calling(piece(":1}", name="f")), calling(piece('{"n":2}', name="f")), STOP)
    made = calls(events)
    assert list(made.values()) == [A, B]
    assert all(call_id.startswith("call_") for call_id in made)


def test_a_custom_tools_input_is_unwrapped() -> None:
    pieces = (calling(piece('{"inp', index=0, id="a", name="g")), calling(piece('ut":"x\\ny"}', index=0)))
    assert calls(heard(*pieces, STOP, tools=[CUSTOM])) == {"a": ("g", "custom", "x\ny")}


def test_a_custom_tools_input_that_was_not_wrapped_is_taken_as_it_is() -> None:
    assert calls(heard(calling(piece("x y", id="a", name="g")), STOP, tools=[CUSTOM])) == {"a": ("g", "custom", "x y")}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", "stop"),
        ("tool_calls", "stop"),
        ("eos", "stop"),
        ("length", "max_output_tokens"),
        ("model_length", "max_output_tokens"),
        ("content_filter", "content_filter"),
    ],
)
def test_the_reason_to_finish_is_read(told: str, reason: str) -> None:
    (event,) = heard({"choices": [{"delta": {}, "finish_reason": told}]}, "[DONE]")
    assert isinstance(event, Finished)
    assert event.reason == reason


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 3}, Usage(input=5, output=3)),
        (
            {
                "prompt_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 8,
            },
            Usage(input=5, cached=4, output=3, reasoning=2),
        ),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 4, "completion_tokens": 3}, Usage(input=5, cached=4, output=3)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 10,
            },
            Usage(input=5, output=5, reasoning=2),
        ),
    ],
    ids=["plain", "details", "cache hits", "reasoning beside the output"],
)
@pytest.mark.parametrize("place", ["last", "choice", "groq"])
def test_usage_is_read_wherever_it_stands(given: Json, usage: Usage, place: str) -> None:
    match place:
        case "last":
            last: Json = {"choices": [], "usage": given}
        case "choice":
            last = {"choices": [{"delta": {}, "usage": given}]}
        case _:
            last = {"choices": [], "x_groq": {"usage": given}}
    (event,) = heard(STOP, last, "[DONE]")
    assert event == Finished(reason="stop", usage=usage)


def test_a_stream_may_lack_its_last_mark_but_not_a_reason_to_finish() -> None:
    assert heard(delta(content="Hi"), STOP)[-1] == DONE
    assert failure(failing(delta(content="Hi"))).code == "provider_protocol"


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
def test_a_server_that_gives_up_is_unavailable(reason: str) -> None:
    error = failure(failing({"choices": [{"delta": {}, "finish_reason": reason}]}, "[DONE]"))
    assert error.code == "provider_unavailable"


def test_an_error_within_the_stream_is_an_error() -> None:
    error = failure(failing(delta(content="Hi"), {"error": {"code": 502, "message": "Upstream."}, "choices": []}))
    assert (error.code, error.message) == ("provider_unavailable", "Upstream.")


@given(st.lists(st.text(min_size=1, max_size=5), max_size=5))
def test_a_text_is_the_sum_of_its_pieces(pieces: list[str]) -> None:
    assert text(heard(*(delta(content=part) for part in pieces), STOP)) == "".join(pieces)


def test_arguments_reach_the_client_as_they_were_written() -> None:
    written = '{ "n" :\n1.0 }'
    assert calls(heard(calling(piece(written, index=0, id="a", name="f")), STOP))["a"][2] == written
